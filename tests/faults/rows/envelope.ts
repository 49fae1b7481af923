// Faults from MAIL to DATA: who may be written to, and in which order replies come.
import { type FaultCase, type Seen, at, once } from "../case.ts";
import { type Act, type Script, type Turn, closes, hang, usualOffers } from "../mailServer.ts";

const GREYLISTED = "Greylisted, try again in 10 seconds";
const HINT_MS = 10_000;

const tooBusy = { end: "close", say: "421 4.3.2 too busy\r\n" } as const;

const recipients = (count: number): string[] => Array.from({ length: count }, (_, i) => `r${i}`);

export const envelopeCases: readonly FaultCase[] = [
  ...(["MAIL", "RCPT", "DATA", "."] as const).map((verb): FaultCase => ({
    row: "R2",
    what: `421 to ${verb === "." ? "the dot" : verb}, then well`,
    servers: [{ script: once(verb, tooBusy) }],
    needs: ["queue"],
    expect: {
      first: verb === "MAIL" ? ["deferred", "delivered"] : "deferred",
      ours: "deferred",
      then: "delivered",
      told: {
        phase: verb === "." ? "dot" : verb.toLowerCase(),
        class: "other",
        code: 421,
        doubt: false,
      },
      copies: 1,
    },
  })),
  {
    row: "R3",
    what: "a greylist at RCPT that says how long",
    servers: [{ script: greylist("RCPT", `450 4.2.0 ${GREYLISTED}`) }],
    needs: ["queue"],
    expect: {
      first: "deferred",
      then: "delivered",
      told: { phase: "rcpt", class: "greylist", code: 450 },
      check: retriedAsBefore,
    },
  },
  {
    row: "R3",
    what: "a greylist at RCPT that does not say how long",
    servers: [{ script: at("RCPT", "451 4.7.1 Greylisting in action, please come back later") }],
    expect: {
      first: "deferred",
      told: { phase: "rcpt", class: "greylist" },
      check: ({ told }) => {
        const delayed = told[0]?.events.find(({ type }) => type === "email.delivery_delayed");
        if (delayed === undefined) return undefined;
        const waitMs = Date.parse(String(delayed.postrider["next_attempt_at"])) - delayed.at;
        return waitMs >= 300_000 && waitMs <= 400_000 ? undefined : `waits ${waitMs} ms`;
      },
    },
  },
  ...(["DATA", "."] as const).map((verb): FaultCase => ({
    row: "R4",
    what: `a greylist at ${verb === "." ? "the dot" : verb}`,
    servers: [{ script: greylist(verb, `451 4.7.1 ${GREYLISTED}`) }],
    needs: ["queue"],
    expect: {
      first: "deferred",
      then: "delivered",
      told: { phase: verb === "." ? "dot" : "data", class: "greylist", doubt: false },
      copies: 1,
      check: retriedAsBefore,
    },
  })),
  {
    row: "R13",
    what: "control characters, eight bits and bidi marks in a refusal",
    servers: [
      { script: at("RCPT", "550 5.1.1 no\0 \u001b[31m such\u0008 \u00e2\u0080\u00ae box \u00ff") },
    ],
    expect: {
      first: "bounced",
      told: { class: "mailbox", code: 550, enhanced: "5.1.1", text: clean() },
    },
  },
  {
    row: "R14",
    what: "an unasked reply among those to RCPT",
    letter: { to: ["one", "two"] },
    servers: [{ script: at("RCPT", "550 5.1.1 no such box\r\n250 2.0.0 by the way") }],
    expect: {
      first: ["bounced", "deferred"],
      ours: "deferred",
      told: { phase: "rcpt", class: "protocol", code: null, doubt: false },
      check: ({ servers }) => (servers[0]?.taken().length === 0 ? undefined : "mail was given"),
    },
  },
  {
    row: "R14",
    what: "an unasked reply behind that to MAIL, the second recipient is refused",
    letter: { to: ["good", "bad"] },
    servers: [
      {
        script: ({ verb, line }) => {
          if (verb === "MAIL") return "250 2.1.0 ok\r\n250 2.0.0 by the way";
          return line.includes("bad") ? "550 5.1.1 no such box" : undefined;
        },
      },
    ],
    expect: {
      first: ["bounced", "deferred"],
      ours: "deferred",
      told: { phase: "rcpt", class: "protocol", code: null, doubt: false },
      check: ({ servers }) => (servers[0]?.taken().length === 0 ? undefined : "mail was given"),
    },
  },
  {
    row: "R15",
    what: "PIPELINING is offered, but all behind the first command of a group is lost",
    servers: [{ script: losesPipelined(hang) }],
    needs: ["queue"],
    expect: { first: ["deferred", "delivered"], ours: "delivered", then: "delivered", copies: 1 },
  },
  {
    row: "R15",
    what: "PIPELINING is offered, but the server hangs up on a second command",
    servers: [{ script: losesPipelined(closes) }],
    needs: ["queue"],
    expect: { first: ["deferred", "delivered"], ours: "delivered", then: "delivered", copies: 1 },
  },
  {
    row: "R18",
    what: "SIZE says less than the message has",
    servers: [{ offers: ["SIZE 500"] }],
    letter: { text: "A line of text.\n".repeat(100) },
    expect: {
      first: "bounced",
      told: { class: "size", enhanced: "5.3.4", code: null },
      never: /^DATA/,
    },
  },
  {
    row: "R21",
    what: "no SMTPUTF8 for a local part that needs it",
    servers: [{}],
    letter: { to: ["jürgen"] },
    expect: {
      first: "bounced",
      told: { phase: "mail", class: "protocol", code: null, enhanced: "5.6.7" },
      never: /^RCPT/,
    },
  },
  {
    row: "R21",
    what: "no SMTPUTF8 at the first MX, but at the second",
    servers: [{}, { offers: [...usualOffers, "SMTPUTF8"] }],
    needs: ["mx"],
    letter: { to: ["jürgen"] },
    expect: { first: "delivered", told: { host: /^mx2/ } },
  },
  {
    row: "R21",
    what: "no SMTPUTF8, and only a subject that is encoded anyway",
    servers: [{}],
    letter: { fields: { subject: "Grüße" } },
    expect: { first: "delivered", never: /SMTPUTF8/ },
  },
  ...([452, 552] as const).map((code): FaultCase => ({
    row: "R22",
    what: `${code} to every recipient beyond ten`,
    servers: [{ script: tenAtMost(code) }],
    letter: { to: recipients(25) },
    expect: {
      first: "delivered",
      check: ({ servers }) => {
        const sizes = servers[0]?.taken().map(({ to }) => to.length) ?? [];
        return sizes.join() === "10,10,5" ? undefined : `transactions of ${sizes.join()}`;
      },
    },
  })),
  {
    row: "R23",
    what: "three recipients, three answers",
    servers: [
      {
        script: ({ verb, line }) => {
          if (verb !== "RCPT") return undefined;
          if (line.includes("later")) return "450 4.3.0 try later";
          return line.includes("never") ? "550 5.1.1 no such box" : undefined;
        },
      },
    ],
    letter: { to: ["now", "later", "never"] },
    expect: {
      first: { now: "delivered", later: "deferred", never: "bounced" },
      toldOf: {
        later: { phase: "rcpt", class: "mailbox", code: 450, enhanced: "4.3.0" },
        never: { phase: "rcpt", class: "mailbox", code: 550, enhanced: "5.1.1" },
      },
      check: ({ told }) => {
        const events = told.map(({ events }) => events.at(-1)?.type);
        return told.every(({ events }) => events.length === 0) || new Set(events).size > 1
          ? undefined
          : "not each recipient has its own event";
      },
    },
  },
  {
    row: "R24",
    what: "all recipients refused, and 354 all the same",
    servers: [{ script: refusesAndInvites }],
    letter: { to: ["one", "two"] },
    expect: {
      first: "bounced",
      told: { phase: "rcpt", class: "mailbox", code: 550 },
      check: ({ servers }) =>
        servers[0]?.taken().every(({ content }) => content === "") === true
          ? undefined
          : "the message was sent",
      copies: 0,
    },
  },
  {
    row: "R41",
    what: "530 must issue STARTTLS, which is not offered",
    servers: [{ script: at("MAIL", "530 5.7.0 Must issue a STARTTLS command first") }],
    expect: { first: "deferred", told: { phase: "mail", class: "tls", code: 530 } },
  },
  {
    row: "R41",
    what: "530 authentication required",
    servers: [{ script: at("MAIL", "530 5.7.1 Authentication required") }],
    expect: { first: "deferred", told: { phase: "mail", class: "relay", code: 530 } },
  },
  {
    row: "R42",
    what: "450 until its lifetime is over",
    servers: [{ script: at("RCPT", "450 4.2.1 the box is busy") }],
    letter: { fields: { expires_in: "8s" } },
    oursAlone: "its lifetime cannot be set for one message",
    expect: {
      first: "deferred",
      then: "expired",
      told: { phase: "rcpt", class: "mailbox", code: 450 },
      check: ({ told, servers }) => {
        const last = told[0]?.events.at(-1);
        if (last?.type !== "email.failed") return "no email.failed";
        // The last attempt's own words, where its failure was the end.
        const { enhanced, code } = last.postrider;
        if (enhanced !== "4.4.7" && code !== 450) return `the last event says ${String(enhanced)}`;
        return (servers[0]?.sessions.length ?? 0) > 0 ? undefined : "never tried";
      },
    },
  },
];

/** Refuses all until the hint is over, reckoned from the first try. */
function greylist(wanted: string, say: string): Script {
  return ({ verb, sinceFirst }) => (verb === wanted && sinceFirst < HINT_MS ? say : undefined);
}

/** Not sooner than asked, from the same address, with the same envelope. */
function retriedAsBefore({ servers }: Seen): string | undefined {
  const [server] = servers;
  const mails = server?.lines().filter((line) => /^(MAIL|RCPT)/.test(line)) ?? [];
  if (new Set(mails).size !== 2) return `the envelope changed: ${mails.join(" | ")}`;
  const sources = new Set(server?.sessions.map(({ from }) => from));
  return sources.size === 1 ? undefined : "another source address";
}

function clean(): RegExp {
  return /^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$/u;
}

/** Heeds one command a packet, as a server does that empties its input before it answers. */
function losesPipelined(then: typeof hang): Script {
  return ({ verb, behind }) => (verb === "MAIL" && behind > 0 ? then : undefined);
}

function refusesAndInvites({ verb }: Turn): Act {
  if (verb === "DATA") return "354 go on";
  return verb === "RCPT" ? "550 5.1.1 no such box" : undefined;
}

function tenAtMost(code: number): Script {
  const said = `${code} ${code === 452 ? "4.5.3" : "5.5.3"} too many recipients`;
  return ({ verb, accepted }) => (verb === "RCPT" && accepted >= 10 ? said : undefined);
}
