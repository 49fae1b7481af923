// Faults of a connection that is used again, and of a relay that wants to know who we are.
import { type FaultCase, type Seen, at } from "../case.ts";
import { type Act, type Script, type Turn, hang, usualOffers } from "../mailServer.ts";

export const reuseCases: readonly FaultCase[] = [
  {
    row: "R33",
    what: "QUIT is not answered",
    servers: [{ script: at("QUIT", hang) }],
    expect: { first: "delivered", judgedAfterMs: 12_000, check: leavesAfterQuit },
  },
  {
    row: "R34",
    what: "421 to the second message of a connection",
    servers: [{ script: oneMessage({ end: "close", say: "421 4.7.0 enough\r\n" }) }],
    letter: { messages: 3 },
    expect: { first: "delivered", told: { doubt: false } },
  },
  {
    row: "R34",
    what: "the server hangs up after each message",
    servers: [{ script: oneMessage({ end: "close" }) }],
    letter: { messages: 3 },
    expect: { first: "delivered", told: { doubt: false } },
  },
  {
    row: "R34",
    what: "RSET is refused",
    servers: [
      {
        script: ({ verb, line }) => {
          if (verb === "RSET") return "502 5.5.1 not here";
          return line.includes("<never") ? "550 5.1.1 no such box" : undefined;
        },
      },
    ],
    letter: { to: ["never", "now"], messages: 2 },
    expect: {
      first: { never: "bounced", now: "delivered" },
      toldOf: { never: { phase: "rcpt", class: "mailbox", code: 550, enhanced: "5.1.1" } },
    },
  },
  {
    row: "R40",
    what: "the relay refuses our password with 535",
    servers: [{ offers: [...usualOffers, "AUTH PLAIN LOGIN", "STARTTLS"], script: refusesLogin }],
    daemon: "relay",
    oursAlone: "each has its own way to name a relay",
    expect: {
      first: "deferred",
      told: { phase: "auth", class: "relay", code: 535, enhanced: "5.7.8", doubt: false },
      never: /^\*?MAIL/,
      // The relay is left in peace from then on, and the mail is kept.
      judgedAfterMs: 5_000,
      check: ({ servers, log }) => {
        const tries = servers[0]?.lines().filter((line) => line.startsWith("*AUTH")).length ?? 0;
        if (!log.includes("deliver.alert")) return "nobody was told";
        return tries <= 2 ? undefined : `AUTH was tried ${tries} times`;
      },
    },
  },
  {
    row: "R41",
    what: "the relay says 530 authentication required though we gave none",
    servers: [{ script: at("MAIL", "530 5.7.0 Authentication required") }],
    daemon: "openRelay",
    oursAlone: "each has its own way to name a relay",
    expect: { first: "deferred", told: { class: "relay", code: 530 } },
  },
];

function refusesLogin({ verb }: Turn): Act {
  return verb === "AUTH" ? "535 5.7.8 authentication failed" : undefined;
}

function oneMessage(end: { readonly end: "close"; readonly say?: string }): Script {
  return ({ verb, session }) => (verb === "MAIL" && session.taken.length > 0 ? end : undefined);
}

function leavesAfterQuit({ servers }: Seen): string | undefined {
  const [session] = servers[0]?.sessions ?? [];
  if (session === undefined) return "no connection came";
  if (session.endedAt === null) return "the connection is still open";
  const [taken] = session.taken;
  // It may be kept for more mail for a while; five seconds more are for the answer to QUIT.
  const stayedMs = session.endedAt - (taken?.at ?? session.beganAt);
  return stayedMs < 12_000 ? undefined : `stayed for ${Math.round(stayedMs)} ms`;
}
