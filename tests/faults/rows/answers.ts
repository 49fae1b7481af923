// Faults of the DNS's answers themselves: cut, forged, damaged, too large.
import type { FaultCase } from "../case.ts";
import { type Question, type Said, rcode } from "../nameServer.ts";
import { type Names, asMx, mx, usual } from "../records.ts";

const needs = ["mx"] as const;

const TRUNCATED = 0x200;
/** As many as one answer can hold, since our encoder does not compress names. */
const MANY = 1_600;

export const answerCases: readonly FaultCase[] = [
  {
    row: "D5",
    what: "a truncated answer: again by TCP",
    servers: [{}],
    names: asMx((place) => (question) => {
      const said = question.over === "tcp" ? usual(place) : { flags: TRUNCATED };
      question.reply(question.encode(said));
    }),
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D5",
    what: "a truncated answer, and no TCP",
    servers: [],
    names: asMx(() => (question) => {
      if (question.over === "tcp") return question.reply(new Uint8Array(0));
      question.reply(question.encode({ flags: TRUNCATED }));
    }),
    needs,
    expect: { first: "deferred", told: { class: "dns", phase: "route" } },
  },
  {
    row: "D10",
    what: `${MANY} MX in 64 KB`,
    servers: [{}],
    names: asMx((place) => (question) => {
      if (question.over === "udp") return question.reply(question.encode({ flags: TRUNCATED }));
      const many = Array.from({ length: MANY }, (_, i) => mx(place.domain, `m${i}.t`, 100 + i));
      question.reply(question.encode({ answers: [...(usual(place).answers ?? []), ...many] }));
    }),
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D13",
    what: "an answer with another id first",
    servers: [{}],
    names: misled((question, evil) =>
      question.reply(question.encode({ ...evil, id: (question.id + 1) & 0xffff })),
    ),
    needs,
    expect: { first: "delivered", told: { host: /^mx1/ } },
  },
  {
    row: "D13",
    what: "an answer to another question first",
    servers: [{}],
    names: misled((question, evil) =>
      question.reply(question.encode({ ...evil, questions: [{ type: "A", name: "other.test" }] })),
    ),
    needs,
    expect: { first: "delivered", told: { host: /^mx1/ } },
  },
  {
    row: "D13",
    what: "an answer from another port first",
    servers: [{}],
    names: misled((question, evil) => question.forge(question.encode(evil))),
    needs,
    expect: { first: "delivered", told: { host: /^mx1/ } },
  },
  {
    row: "D14",
    what: "an answer whose names are a loop of pointers",
    servers: [],
    names: spoilt((octets) => {
      const loop = Uint8Array.from(octets.subarray(0, 12));
      loop.set([0, 0, 0, 1, 0, 0, 0, 0], 4);
      return Uint8Array.of(...loop, 0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60, 0, 2, 0, 0);
    }),
    needs,
    expect: { first: "deferred", told: { class: "dns", phase: "route" } },
  },
  {
    row: "D14",
    what: "an answer that is cut off",
    servers: [{}],
    names: spoilt((octets) => octets.subarray(0, -5)),
    needs,
    expect: { first: "deferred", told: { class: "dns", phase: "route" } },
  },
  {
    row: "D14",
    what: "an answer with wrong counts",
    servers: [{}],
    names: spoilt((octets) => {
      octets.set([0xff, 0xff], 6);
      return octets;
    }),
    needs,
    expect: { first: "deferred", told: { class: "dns", phase: "route" } },
  },
  ...([0, 0x7fffffff] as const).map((ttl): FaultCase => ({
    row: "D15",
    what: ttl === 0 ? "a TTL of 0" : "a TTL of 2^31 - 1",
    servers: [{}],
    names: asMx((place) => ({
      answers: (usual(place).answers ?? []).map((record) => ({ ...record, ttl }) as never),
    })),
    letter: { messages: 2 },
    needs,
    expect: { first: "delivered" },
  })),
  {
    row: "D19",
    what: "FORMERR to EDNS",
    servers: [{}],
    names: asMx((place) => (question) => {
      const said = question.edns ? { rcode: rcode.formerr } : usual(place);
      question.reply(question.encode(said));
    }),
    needs,
    expect: { first: "delivered" },
  },
];

/** The octets of a good answer, spoilt. */
function spoilt(spoil: (octets: Uint8Array, question: Question) => Uint8Array): Names {
  return asMx((place) => (question) => {
    question.reply(spoil(Uint8Array.from(question.encode(usual(place))), question));
  });
}

/** A wrong answer first, then the right one. */
function misled(mislead: (question: Question, evil: Said) => void): Names {
  return asMx((place) => (question) => {
    const { domain } = place;
    mislead(question, { answers: [mx(domain, `evil.${domain}`, 0)] });
    question.reply(question.encode(usual(place)));
  });
}
