// Faults while the message is on its way, at its end, and behind it.
import { type FaultCase, type Seen, at, deadlines, filler } from "../case.ts";
import type { Script, Turn } from "../mailServer.ts";

/** More than all socket buffers hold. */
const LARGE = 12_000_000;
const large = { text: filler(LARGE) };
const roomy = ["8BITMIME", "SIZE 100000000"];

const eightBit = (more = ""): string =>
  `From: {from}\r\nTo: {to}\r\nSubject: eight bits\r\n${more}MIME-Version: 1.0\r\n` +
  "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n";

export const contentCases: readonly FaultCase[] = [
  {
    row: "R19",
    what: "SIZE is large enough, 552 at the dot anyway",
    servers: [{ script: at(".", "552 5.3.4 too big after all") }],
    expect: { first: "bounced", told: { phase: "dot", class: "size", code: 552 } },
  },
  {
    row: "R20",
    what: "no 8BITMIME for a message with octets above 127",
    servers: [{ offers: ["PIPELINING", "SIZE 10000000"] }],
    letter: { raw: eightBit() },
    expect: {
      first: ["delivered", "bounced"],
      ours: "delivered",
      check: ({ servers }) =>
        servers[0]?.taken().some(({ content }) => /[\x80-\xff]/.test(content)) === true
          ? "octets above 127 were sent"
          : undefined,
      copies: NaN,
    },
  },
  {
    row: "R25",
    what: "550 at the dot for two accepted recipients",
    servers: [{ script: at(".", "550 5.7.1 not wanted") }],
    letter: { to: ["one", "two"] },
    expect: {
      first: "bounced",
      told: { phase: "dot", class: "policy", code: 550, enhanced: "5.7.1" },
    },
  },
  ...(["reset", "close"] as const).map((end): FaultCase => ({
    row: "R26",
    what: `the connection ends after the dot without a reply (${end === "reset" ? "RST" : "FIN"})`,
    servers: [{ script: takesThenEnds(end) }, {}],
    needs: ["mx"],
    expect: {
      first: "deferred",
      told: { phase: "dot", class: "network", doubt: true, code: null },
      then: "delivered",
      copies: 2,
      check: sameMessageAgain,
    },
  })),
  {
    row: "R27",
    what: "the 250 comes just in time",
    servers: [{ script: answersDot(deadlines.dot * 0.95) }],
    expect: { first: "delivered" },
  },
  {
    row: "R28",
    what: "the 250 comes too late",
    servers: [{ script: answersDot(deadlines.dot * 1.1) }],
    expect: {
      first: "deferred",
      told: { phase: "dot", class: "network", doubt: true, code: null },
      copies: NaN,
    },
  },
  {
    row: "R29",
    what: "a reset right behind the 250",
    servers: [{ script: at(".", { end: "reset", say: "250 2.0.0 taken\r\n", took: true }) }],
    expect: { first: "delivered" },
  },
  {
    row: "R30",
    what: "a refusal and a half-close while the message is still on its way",
    servers: [
      { offers: roomy, script: at("BODY", { end: "fin", say: "550 5.7.1 not wanted\r\n" }) },
    ],
    letter: large,
    expect: {
      first: "bounced",
      told: { class: "policy", code: 550, enhanced: "5.7.1", doubt: false },
    },
  },
  {
    row: "R30",
    what: "a half-close without a word while the message is on its way",
    servers: [{ offers: roomy, script: at("BODY", { end: "fin" }) }],
    letter: large,
    expect: { first: "deferred", told: { class: "network", doubt: false, code: null } },
  },
  {
    row: "R31",
    what: "the server stops reading in mid-message",
    servers: [{ offers: roomy, script: stopsReading }],
    letter: large,
    expect: { first: "deferred", told: { phase: /^(body|data)$/, class: "network", doubt: false } },
  },
  {
    row: "R32",
    what: "550 while the message is still on its way",
    servers: [{ offers: roomy, script: at("BODY", "550 5.7.1 not wanted") }],
    letter: large,
    expect: { first: "bounced", told: { class: "policy", code: 550, doubt: false }, copies: 0 },
  },
  {
    row: "R37",
    what: "30 % of the packets lost, 200 kbit/s",
    servers: [{ behind: "loss" }],
    needs: ["packets"],
    letter: { text: filler(20_000) },
    expect: { first: ["delivered", "deferred"], told: { class: "network" }, copies: NaN },
  },
  {
    row: "R38",
    what: "packets over 1,400 octets vanish",
    servers: [{ behind: "shortPackets", offers: roomy }],
    needs: ["packets"],
    letter: large,
    // A sender may find out by itself that smaller packets pass.
    expect: { first: ["deferred", "delivered"], told: { class: "network" }, copies: NaN },
  },
];

function takesThenEnds(end: "reset" | "close"): Script {
  return ({ verb, before }) => (verb === "." && before === 0 ? { end, took: true } : undefined);
}

function answersDot(afterMs: number): Script {
  return async ({ verb, before, pause }) => {
    if (verb === "." && before === 0) await pause(afterMs);
    return undefined;
  };
}

function stopsReading({ verb, stopReading }: Turn): undefined {
  if (verb === "BODY") stopReading();
}

/** The second copy is known by its Message-ID, and the other MX was not asked at once. */
function sameMessageAgain({ servers }: Seen): string | undefined {
  const taken = servers.flatMap((server) => server.taken());
  const ids = taken.map(({ content }) => /^message-id: *(\S+)/im.exec(content)?.[1]);
  if (new Set(ids).size !== 1) return `Message-IDs ${ids.join(", ")}`;
  const [first, second] = [...taken].sort((x, y) => x.at - y.at);
  if (first === undefined || second === undefined) return undefined;
  return second.at - first.at > 1_000 ? undefined : "the next MX was asked at once";
}
