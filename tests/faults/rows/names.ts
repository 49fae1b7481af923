// Faults of the DNS: what leads to a server, and what only seems to.
import { type FaultCase, type Place, at } from "../case.ts";
import { type Question, type Said, type Say, rcode, soa } from "../nameServer.ts";
import { type Names, a, asMx, hostRecords, mx, usual } from "../records.ts";

const needs = ["mx"] as const;

const pointsTo = (address: string): Names =>
  asMx((place) => {
    const { domain, names } = place;
    const type = address.includes(":") ? "AAAA" : "A";
    const name = `trap.${domain}`;
    names.table.set(`${name} ${type}`, {
      answers: [{ type, name, ttl: 60, data: address } as never],
    });
    return { answers: [mx(domain, name, 10)] };
  });

const refusedRoute = { class: "dns", phase: "route", code: null } as const;

export const nameCases: readonly FaultCase[] = [
  {
    row: "D1",
    what: "NXDOMAIN",
    servers: [],
    names: () => {},
    needs,
    expect: { first: "bounced", told: { ...refusedRoute, enhanced: "5.1.2" } },
  },
  {
    row: "D2",
    what: "NODATA for MX: the domain's own address serves",
    servers: [{}],
    names: ({ domain, hosts, names }) =>
      void names.table.set(`${domain} A`, { answers: [a(domain, hosts[0]?.address ?? "")] }),
    needs,
    expect: { first: "delivered" },
  },
  ...(["servfail", "refused"] as const).map((code): FaultCase => ({
    row: "D3",
    what: code.toUpperCase(),
    servers: [],
    names: ({ domain, names }) => void names.table.set(`${domain} *`, { rcode: rcode[code] }),
    needs,
    expect: { first: "deferred", told: { class: "dns", phase: "route", enhanced: "4.4.3" } },
  })),
  {
    row: "D4",
    what: "the first of two resolvers is dead",
    servers: [{}],
    daemon: "names",
    oursAlone: "/etc/resolv.conf is one for all",
    expect: { first: "delivered" },
  },
  {
    row: "D6",
    what: "null MX",
    servers: [],
    names: asMx(({ domain }) => ({ answers: [mx(domain, ".", 0)] })),
    needs,
    expect: { first: "bounced", told: { ...refusedRoute, enhanced: "5.1.10" } },
  },
  {
    row: "D6",
    what: "null MX beside a real one",
    servers: [{}],
    names: asMx((place) => ({
      answers: [mx(place.domain, ".", 0), ...(usual(place).answers ?? [])],
    })),
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D7",
    what: "a chain of three CNAMEs",
    servers: [{}],
    names: chain(3),
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D7",
    what: "a CNAME that leads to itself",
    servers: [],
    names: ({ domain, names }) =>
      void names.table.set(`${domain} *`, {
        answers: [{ type: "CNAME", name: domain, ttl: 60, data: domain }],
      }),
    needs,
    expect: {
      first: ["deferred", "bounced"],
      ours: "deferred",
      told: { class: "dns", phase: "route" },
    },
  },
  {
    row: "D8",
    what: "the MX names a CNAME",
    servers: [{}],
    names: (place) => {
      const { domain, hosts, names } = place;
      const [host = { name: "", address: "" }] = hosts;
      const alias = `alias.${domain}`;
      names.table.set(`${domain} MX`, { answers: [mx(domain, alias, 10)] });
      const cname = { type: "CNAME", name: alias, ttl: 60, data: host.name } as const;
      names.table.set(`${alias} A`, { answers: [cname, a(host.name, host.address)] });
      names.table.set(`${alias} AAAA`, { answers: [cname], authorities: [soa] });
    },
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D9",
    what: "the first MX has no address",
    servers: [{}],
    names: asMx((place) => ({
      answers: [mx(place.domain, `none.${place.domain}`, 1), ...(usual(place).answers ?? [])],
    })),
    needs,
    expect: { first: "delivered", told: { host: /^mx1/ } },
  },
  {
    row: "D9",
    what: "no MX has an address",
    servers: [],
    names: asMx(({ domain }) => ({ answers: [mx(domain, `none.${domain}`, 1)] })),
    needs,
    expect: {
      first: ["bounced", "deferred"],
      ours: "deferred",
      told: { ...refusedRoute, enhanced: "4.4.4" },
    },
  },
  ...[
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "::1",
    "fe80::1",
    "::ffff:127.0.0.1",
    "224.0.0.1",
  ].map((address): FaultCase => ({
    row: "D11",
    what: `the MX leads to ${address}`,
    servers: [],
    names: pointsTo(address),
    oursAlone: "it may connect to wherever the DNS says",
    expect: { first: "bounced", told: { ...refusedRoute, enhanced: "5.4.4" } },
  })),
  {
    row: "D11",
    what: "the only MX is this host itself, by name",
    servers: [],
    names: asMx(({ domain, names }) => {
      names.table.set("sender.test A", { answers: [a("sender.test", "198.18.0.7")] });
      return { answers: [mx(domain, "sender.test", 10)] };
    }),
    oursAlone: "each knows itself by other names",
    expect: { first: "bounced", told: { ...refusedRoute, enhanced: "5.4.6" } },
  },
  ...(["dotless", "localhost", "198.18.0.9", `${"a".repeat(64)}.test`] as const).map(
    (host): FaultCase => ({
      row: "D12",
      what: `the MX is named ${host.length > 20 ? "by a label of 64 characters" : host}`,
      servers: [],
      names: asMx(({ domain }) =>
        host.length > 64
          ? (question) => question.reply(longLabel(question))
          : { answers: [mx(domain, host, 10)] },
      ),
      oursAlone: "each has its own notion of a host name",
      expect: {
        // What cannot be read is no fact about the domain.
        first: host.length > 64 ? "deferred" : "bounced",
        told: { class: "dns", phase: "route" },
      },
    }),
  ),
  {
    row: "D16",
    what: "the resolver falls silent for a domain that is known",
    servers: [{}],
    names: fallsSilent,
    letter: { messages: 2, pauseMs: 7_000 },
    oursAlone: "it keeps no answers of its own",
    expect: { first: "delivered" },
  },
  {
    row: "D17",
    what: "the MX changes between two attempts",
    servers: [{ script: at("RCPT", "450 4.3.2 moving house") }, {}],
    names: moves,
    needs: ["mx"],
    expect: {
      first: "deferred",
      then: "delivered",
      told: { host: /^mx1/, phase: "rcpt", class: "other", code: 450 },
    },
  },
  {
    row: "D20",
    what: "SERVFAIL for AAAA, A is well",
    servers: [{}],
    names: (place) => {
      asMx(usual)(place);
      const [host] = place.hosts;
      place.names.table.set(`${host?.name} AAAA`, { rcode: rcode.servfail });
    },
    needs,
    expect: { first: "delivered" },
  },
  {
    row: "D21",
    what: "2,000 domains that do not exist, with a cache for 100 answers",
    servers: [],
    letter: {
      to: Array.from({ length: 500 }, (_, i) => `x@n${i}.{message}.flood.test`),
      messages: 4,
    },
    daemon: "names",
    oursAlone: "it keeps no answers of its own",
    expect: {
      first: "bounced",
      told: { ...refusedRoute, enhanced: "5.1.2" },
      check: ({ grownBytes }) =>
        grownBytes < 48_000_000 ? undefined : `memory grew by ${grownBytes >> 20} MiB`,
    },
  },
];

/** Every question is answered once, for a second. */
function fallsSilent(place: Place): void {
  const { domain, hosts, names } = place;
  const [host = { name: "", address: "" }] = hosts;
  const first =
    (said: Said): Say =>
    (question) =>
      question.before === 0 ? question.reply(question.encode(said)) : undefined;
  names.table.set(`${domain} MX`, first({ answers: [{ ...mx(domain, host.name, 10), ttl: 1 }] }));
  names.table.set(
    `${host.name} A`,
    first({ answers: [{ ...a(host.name, host.address), ttl: 1 }] }),
  );
  names.table.set(`${host.name} AAAA`, first({ authorities: [soa] }));
}

function moves(place: Place): void {
  const { domain, hosts, names } = place;
  names.table.set(`${domain} MX`, (question) => {
    const exchange = hosts[question.before === 0 ? 0 : 1]?.name ?? "";
    question.reply(question.encode({ answers: [{ ...mx(domain, exchange, 10), ttl: 1 }] }));
  });
  hostRecords(place);
}

function chain(length: number): Names {
  return (place) => {
    const { domain, names } = place;
    const links = Array.from({ length: length + 1 }, (_, i) =>
      i === 0 ? domain : `c${i}.${domain}`,
    );
    const aliases = links.slice(0, -1).map((name, i) => {
      return { type: "CNAME", name, ttl: 60, data: links[i + 1] ?? "" } as const;
    });
    const last = links.at(-1) ?? domain;
    const [host] = place.hosts;
    names.table.set(`${domain} MX`, { answers: [...aliases, mx(last, host?.name ?? "", 10)] });
    names.table.set(`${domain} *`, { answers: aliases, authorities: [soa] });
    hostRecords(place);
  };
}

/** An MX whose host begins with a length octet of 64, which is none (RFC 1035 2.3.4). */
function longLabel(question: Question): Uint8Array {
  const head = Uint8Array.from(question.encode({}));
  head.set([0, 1], 6);
  const host = [64, ...Array<number>(64).fill(97), 0];
  return Uint8Array.of(
    ...[...head, 0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 60],
    ...[0, host.length + 2, 0, 10, ...host],
  );
}
