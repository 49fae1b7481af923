// Faults before a server is ready for mail: connecting, greeting, EHLO.
import { type FaultCase, at, deadlines } from "../case.ts";
import { type Script, closes, hang } from "../mailServer.ts";
import { a, mx } from "../records.ts";

/** So close to a deadline is in time, and so far beyond it is late. */
const IN_TIME = 0.95;
const LATE = 1.15;

const greets = (say: string): Script => at("CONNECT", { end: "close", say: `${say}\r\n` });

export const openingCases: readonly FaultCase[] = [
  {
    row: "R1",
    what: "421 greeting of the first MX",
    servers: [{ script: greets("421 4.3.2 too busy") }, {}],
    needs: ["mx"],
    expect: { first: "delivered", told: { host: /^mx2/ } },
  },
  {
    row: "R1",
    what: "421 greeting of the only MX",
    servers: [{ script: greets("421 4.3.2 too busy") }],
    expect: {
      first: "deferred",
      told: { phase: "greeting", class: "other", code: 421, enhanced: "4.3.2", doubt: false },
      never: /^MAIL/,
    },
  },
  {
    row: "R5",
    what: "554 and 521 greetings of two MX, the third is well",
    servers: [
      { script: greets("554 5.7.1 no service") },
      { script: greets("521 5.3.2 no mail") },
      {},
    ],
    needs: ["mx"],
    expect: { first: "delivered", told: { host: /^mx3/ } },
  },
  {
    row: "R6",
    what: "554 greeting of every MX",
    servers: [
      { script: greets("554 5.7.1 no service") },
      { script: greets("554 5.7.1 no service") },
    ],
    expect: {
      first: "deferred",
      told: { phase: "greeting", class: "policy", code: 554 },
      never: /^MAIL/,
    },
  },
  {
    row: "R6",
    what: "521 greeting of every MX",
    servers: [
      { script: greets("521 5.3.2 no mail here") },
      { script: greets("521 5.3.2 no mail") },
    ],
    expect: {
      first: "bounced",
      told: { phase: "greeting", class: "other", code: 521, enhanced: "5.3.2" },
    },
  },
  {
    row: "R6",
    what: "556 greeting of every MX",
    servers: [{ script: greets("556 5.1.10 no mail here") }],
    expect: {
      first: "bounced",
      told: { phase: "greeting", class: "mailbox", code: 556, enhanced: "5.1.10" },
    },
  },
  {
    row: "R7",
    what: "the banner comes just in time",
    servers: [{ script: banner(deadlines.greeting * IN_TIME) }],
    expect: { first: "delivered" },
  },
  {
    row: "R8",
    what: "the banner never comes",
    servers: [{ script: at("CONNECT", hang) }],
    expect: {
      first: "deferred",
      told: { phase: "greeting", class: "network", code: null },
      check: ({ servers }) => leftWithin(servers[0]?.sessions, deadlines.greeting),
    },
  },
  {
    row: "R8",
    what: "the banner comes at an octet in a tenth of the deadline",
    servers: [
      { script: dribble("CONNECT", "220 mx.test slow as a snail\r\n", deadlines.greeting / 10) },
    ],
    expect: {
      first: "deferred",
      told: { phase: "greeting", class: "network", code: null },
      check: ({ servers }) => leftWithin(servers[0]?.sessions, deadlines.greeting),
    },
  },
  {
    row: "R9",
    what: "replies come octet by octet, in time",
    servers: [{ offers: ["8BITMIME"], script: dribble("RCPT", "250 2.1.5 ok\r\n", 20) }],
    expect: { first: "delivered" },
  },
  {
    row: "R9",
    what: "a reply comes octet by octet, beyond its deadline",
    servers: [{ offers: [], script: dribble("RCPT", "250 2.1.5 ok\r\n", deadlines.rcpt / 8) }],
    expect: {
      first: "deferred",
      told: { phase: "rcpt", class: "network", doubt: false },
      never: /^DATA/,
    },
  },
  {
    row: "R10",
    what: "endless lines after EHLO",
    servers: [{ script: endless("EHLO") }],
    expect: { first: "deferred", told: { phase: "ehlo", class: "protocol" }, never: /^MAIL/ },
  },
  {
    row: "R10",
    what: "endless lines after RCPT",
    servers: [{ script: endless("RCPT") }],
    expect: { first: "deferred", told: { phase: "rcpt", class: "protocol", doubt: false } },
  },
  {
    row: "R11",
    what: "a reply line of 1 MiB",
    servers: [{ script: at("RCPT", `250 ${"x".repeat(1 << 20)}`) }],
    expect: { first: "deferred", told: { phase: "rcpt", class: "protocol", text: /^.{1,4096}$/s } },
  },
  ...(
    [
      ["a fourth character that is no separator", "250+x"],
      ["two digits", "25"],
      ["letters", "hello there"],
      ["codes that change within a reply", "250-yes\r\n550 no"],
    ] as const
  ).map(([what, said]): FaultCase => ({
    row: "R12",
    what: `the reply to RCPT has ${what}`,
    servers: [{ script: at("RCPT", said) }],
    expect: {
      first: "deferred",
      told: { phase: "rcpt", class: "protocol", doubt: false },
    },
  })),
  {
    row: "R16",
    what: "EHLO is refused with 500",
    servers: [{ offers: null, script: at("EHLO", "500 5.5.1 what?") }],
    expect: { first: "delivered", check: ({ servers }) => saidHelo(servers[0]?.lines()) },
  },
  {
    row: "R16",
    what: "EHLO is refused with 502",
    servers: [{ offers: null }],
    expect: { first: "delivered", check: ({ servers }) => saidHelo(servers[0]?.lines()) },
  },
  {
    row: "R16",
    what: "the server hangs up on EHLO",
    servers: [{ script: at("EHLO", closes) }],
    expect: { first: "delivered", check: ({ servers }) => saidHelo(servers[0]?.lines()) },
  },
  {
    row: "R35",
    what: "IPv6 swallows all packets, IPv4 is well",
    servers: [{}],
    needs: ["mx", "packets"],
    names({ domain, hosts, names, silentV6 }) {
      const address = hosts[0]?.address ?? "";
      names.table.set(`${domain} A`, { answers: [a(domain, address)] });
      const v6 = [1, 2, 3].map((n) => ({ type: "AAAA", name: domain, ttl: 60, data: silentV6(n) }));
      names.table.set(`${domain} AAAA`, { answers: v6 as never });
    },
    expect: {
      first: "delivered",
      check: ({ place, sought }) => {
        const tried = sought.filter((address) => place.isSilent(address)).length;
        return tried <= 1 ? undefined : `${tried} IPv6 addresses were tried before`;
      },
    },
  },
  {
    row: "R36",
    what: "ten MX of eight addresses, all silent",
    servers: [],
    needs: ["mx", "packets"],
    names({ domain, names, silent }) {
      const hosts = Array.from({ length: 10 }, (_, i) => `silent${i}.${domain}`);
      names.table.set(`${domain} MX`, {
        answers: hosts.map((exchange, i) => mx(domain, exchange, 10 + i)),
      });
      hosts.forEach((name, i) => {
        const addresses = Array.from({ length: 8 }, (_, k) => a(name, silent(i * 8 + k)));
        names.table.set(`${name} A`, { answers: addresses });
      });
    },
    expect: {
      first: "deferred",
      told: { class: "network", phase: "connect", code: null },
      check: ({ place, sought, told }) => {
        const tried = sought.filter((address) => place.isSilent(address)).length;
        const tookMs = Number(told[0]?.events.at(-1)?.postrider["duration_ms"] ?? 0);
        if (tookMs > deadlines.connect * 8) return `the attempt took ${tookMs} ms`;
        return tried >= 2 && tried <= 8 ? undefined : `${tried} addresses were tried`;
      },
    },
  },
  {
    row: "R39",
    what: "a PIX: asterisks in the banner, no ESMTP",
    servers: [{ offers: null, script: at("CONNECT", `220 ${"*".repeat(60)}`) }],
    expect: { first: "delivered", check: ({ servers }) => saidHelo(servers[0]?.lines()) },
  },
  {
    row: "R39",
    what: "a PIX that loses a dot within a packet of text",
    servers: [
      {
        offers: null,
        script: ({ verb, dotAlone }) => {
          if (verb === "CONNECT") return `220 ${"*".repeat(60)}`;
          return verb === "." && !dotAlone ? closes : undefined;
        },
      },
    ],
    needs: ["queue"],
    expect: { first: ["delivered", "deferred"], ours: "delivered", then: "delivered" },
  },
];

function banner(afterMs: number): Script {
  return async ({ verb, pause }) => {
    if (verb === "CONNECT") await pause(afterMs);
    return undefined;
  };
}

function dribble(verb: string, slowly: string, everyMs: number): Script {
  return at(verb, { slowly, everyMs });
}

function endless(wanted: string): Script {
  return async ({ verb, pause, write, session }) => {
    if (verb !== wanted) return undefined;
    while (session.endedAt === null) {
      write("250-and one more\r\n".repeat(100));
      await pause(5);
    }
    return closes;
  };
}

function leftWithin(
  sessions: readonly { beganAt: number; endedAt: number | null }[] | undefined,
  deadlineMs: number,
): string | undefined {
  const [first] = sessions ?? [];
  if (first === undefined) return "no connection came";
  if (first.endedAt === null) return "the connection is still open";
  const stayedMs = first.endedAt - first.beganAt;
  if (stayedMs < deadlineMs * IN_TIME) return `left after ${Math.round(stayedMs)} ms`;
  return stayedMs < deadlineMs * LATE * 1.15
    ? undefined
    : `left only after ${Math.round(stayedMs)} ms`;
}

function saidHelo(lines: readonly string[] | undefined): string | undefined {
  return lines?.some((line) => line.startsWith("HELO ")) === true ? undefined : "HELO was not said";
}
