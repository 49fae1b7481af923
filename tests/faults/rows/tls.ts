// Faults of STARTTLS, certificates and policies. Each policy stands in Postrider's file for the case's own domain.
import { createHash } from "node:crypto";
import { type FaultCase, type Place, type Seen, at } from "../case.ts";
import {
  type Act,
  closes,
  type MailServer,
  type Script,
  type Turn,
  usualOffers,
} from "../mailServer.ts";
import { rcode } from "../nameServer.ts";
import { a, mx } from "../records.ts";

const offers = ["STARTTLS", ...usualOffers];

const policy = {
  daemon: "policies",
  oursAlone: "its policy is for all domains alike",
} as const;
const tableFor =
  (word: string) =>
  ({ domain }: Place): string =>
    `[domains."${domain}"]\ntls_policy = "${word}"\n`;
const insisting = { ...policy, settings: tableFor("required") };
const proving = { ...policy, settings: tableFor("verify") };

const HOSTS_OUT_OF_TIME = 6;

const GO_AHEAD = "220 2.0.0 go ahead\r\n";
/** A fatal alert: handshake_failure (RFC 8446 6.2). */
const ALERT = "\x15\x03\x03\x00\x02\x02\x28";

/** What comes of each fault by policy: in clear where nobody insists, later where somebody does. */
const broken: readonly (readonly [row: string, what: string, script: Script])[] = [
  [
    "T1",
    "an alert instead of a handshake",
    at("STARTTLS", { end: "close", say: GO_AHEAD + ALERT }),
  ],
  ["T1", "a hang-up on STARTTLS", at("STARTTLS", closes)],
  ["T2", "a handshake that hangs", at("STARTTLS", { end: "hang", say: GO_AHEAD })],
  ["T5", "454 to STARTTLS", at("STARTTLS", "454 4.7.0 no TLS at the moment")],
];

export const tlsCases: readonly FaultCase[] = [
  ...broken.flatMap(([row, what, script]): FaultCase[] => [
    {
      row,
      what,
      servers: [{ offers, script: failsHandshake(script) }],
      expect: {
        first: ["delivered", "deferred"],
        ours: "delivered",
        then: "delivered",
        check: sentInClear,
      },
      needs: ["queue"],
    },
    {
      row,
      what: `${what}, where the policy insists`,
      servers: [{ offers, script: failsHandshake(script) }],
      ...insisting,
      expect: {
        first: "deferred",
        // A handshake that hangs may also be the network's fault.
        told: { class: /^(tls|network)$/, doubt: false },
        never: /^\*?MAIL/,
      },
    },
  ]),
  {
    row: "T1",
    what: "a host whose handshake failed is remembered for the next message",
    servers: [{ offers, script: failsHandshake(broken[0]?.[2]) }],
    letter: { messages: 2 },
    oursAlone: "nothing is promised of it",
    expect: {
      first: "delivered",
      check: ({ servers }) => {
        const tries = servers[0]?.lines().filter((line) => line === "STARTTLS").length;
        return tries === 1 ? undefined : `STARTTLS was said ${tries} times`;
      },
    },
  },
  ...(["expired", "future", "name", "self"] as const).flatMap((flaw): FaultCase[] => {
    const words = { expired: "expired", future: "not yet valid", name: "for another name" };
    const what = `a certificate that is ${flaw === "self" ? "self-signed" : words[flaw]}`;
    return [
      {
        row: flaw === "future" ? "T11" : "T3",
        what,
        servers: [{ offers, certificate: flaw }],
        expect: { first: "delivered", check: encryptedUnverified },
      },
      {
        row: flaw === "future" ? "T11" : "T3",
        what: `${what}, where the policy wants proof`,
        servers: [{ offers, certificate: flaw }],
        ...proving,
        expect: { first: "deferred", told: { class: "tls" }, never: /^\*?MAIL/ },
      },
    ];
  }),
  {
    row: "T11",
    what: "six hosts at once whose certificates are not yet valid: the clock is doubted",
    servers: Array.from({ length: HOSTS_OUT_OF_TIME }, () => ({ offers, certificate: "future" })),
    names: eachItsOwn,
    letter: {
      to: Array.from({ length: HOSTS_OUT_OF_TIME }, (_, i) => `x@d${i}.{domain}`),
    },
    daemon: "clock",
    oursAlone: "nothing is promised of it",
    expect: {
      first: "delivered",
      judgedAfterMs: 5_000,
      check: (seen) =>
        seen.log.includes("clock.doubted") ? encryptedUnverified(seen) : "nobody was told",
    },
  },
  {
    row: "T4",
    what: "STARTTLS is stripped from the list",
    servers: [{ script: at("STARTTLS", "502 5.5.1 what?") }],
    expect: { first: "delivered", check: sentInClear },
  },
  {
    row: "T4",
    what: "STARTTLS is stripped, where the policy insists",
    servers: [{}],
    ...insisting,
    expect: { first: "deferred", told: { class: "tls" }, never: /^MAIL/ },
  },
  {
    row: "T6",
    what: "a reply in clear behind the 220",
    servers: [{ offers, script: injects }],
    expect: {
      first: ["delivered", "deferred"],
      ours: "delivered",
      copies: NaN,
      check: ({ servers }) => {
        const lines = servers[0]?.sessions[0]?.lines ?? [];
        const after = lines.slice(lines.indexOf("STARTTLS") + 1).filter((line) => line !== "QUIT");
        return after.length === 0 ? undefined : `${after[0]} was said on that connection`;
      },
    },
  },
  {
    row: "T7",
    what: "TLS 1.0 and nothing newer",
    servers: [{ offers, tls: { minVersion: "TLSv1", maxVersion: "TLSv1" } }],
    needs: ["queue"],
    expect: {
      first: ["delivered", "deferred"],
      ours: "delivered",
      then: "delivered",
      check: sentInClear,
    },
  },
  {
    row: "T7",
    what: "TLS 1.0 and nothing newer, where the policy insists",
    servers: [{ offers, tls: { minVersion: "TLSv1", maxVersion: "TLSv1" } }],
    ...insisting,
    expect: { first: "deferred", told: { class: "tls" }, never: /^\*?MAIL/ },
  },
  {
    row: "T8",
    what: "the encrypted connection is cut right behind the 250",
    servers: [{ offers, script: at(".", { end: "fin", say: "250 2.0.0 taken\r\n", took: true }) }],
    expect: { first: "delivered" },
  },
  {
    row: "T8",
    what: "the encrypted connection is cut before the 250",
    servers: [{ offers, script: at(".", { end: "reset", took: true }) }],
    expect: {
      first: "deferred",
      told: { phase: "dot", doubt: true, class: "network" },
      copies: NaN,
    },
  },
  {
    row: "R17",
    what: "EHLO offers less after STARTTLS than before",
    servers: [{ offers: null, script: offersLess }],
    expect: {
      first: "delivered",
      never: /^\*.*(SIZE=|BODY=)/,
      check: ({ servers }) =>
        servers[0]?.taken().every(({ secure }) => secure) ? undefined : "it went in clear",
    },
  },
  ...daneCases(),
];

function daneCases(): FaultCase[] {
  const row = "T9";
  const base = {
    row,
    servers: [{ offers, certificate: "self" }],
    daemon: "policies",
    oursAlone: "DANE was not asked for",
  } as const;
  const noMail = /^\*?MAIL/;
  return [
    {
      ...base,
      what: "a TLSA record that matches",
      names: (place) => signed(place, "match"),
      expect: { first: "delivered", check: encryptedVerified },
    },
    {
      ...base,
      what: "a TLSA record that does not match",
      names: (place) => signed(place, "mismatch"),
      expect: { first: "deferred", told: { class: "tls" }, never: noMail },
    },
    {
      ...base,
      what: "SERVFAIL to the question for TLSA (bogus)",
      names: (place) => signed(place, "servfail"),
      expect: {
        first: "deferred",
        told: { phase: "route", class: "tls", code: null },
        never: noMail,
      },
    },
    {
      ...base,
      what: "TLSA records that cannot be used: encrypted, not verified",
      names: (place) => signed(place, "unusable"),
      expect: { first: "delivered", check: encryptedUnverified },
    },
    {
      ...base,
      what: "TLSA records that cannot be used, and STARTTLS stripped",
      servers: [{}],
      names: (place) => signed(place, "unusable"),
      expect: { first: "deferred", told: { class: "tls" }, never: noMail },
    },
    {
      ...base,
      what: "a wrong TLSA record in a zone that is not signed counts for nothing",
      names: (place) => signed(place, "mismatch", false),
      expect: { first: "delivered" },
    },
  ];
}

type Tlsa = "match" | "mismatch" | "servfail" | "unusable";

/** A domain for each server. */
function eachItsOwn({ domain, hosts, names }: Place): void {
  for (const [i, { name, address }] of hosts.entries()) {
    names.table.set(`d${i}.${domain} MX`, { answers: [mx(`d${i}.${domain}`, name, 10)] });
    names.table.set(`${name} A`, { answers: [a(name, address)] });
  }
}

/** Usage, selector, matching type, and the octets (RFC 6698 2.1). */
function signed(place: Place, kind: Tlsa, secure = true): void {
  const { domain, hosts, names, keys } = place;
  const [host] = hosts as readonly [(typeof hosts)[number]];
  const digest = createHash("sha256").update(keys.spki).digest();
  if (kind === "mismatch") digest.reverse();
  const usage = kind === "unusable" ? 0 : 3;
  names.table.set(`${domain} MX`, { secure, answers: [mx(domain, host.name, 10)] });
  names.table.set(`${host.name} A`, { secure, answers: [a(host.name, host.address)] });
  const owner = `_25._tcp.${host.name}`;
  const data = { usage, selector: 1, matchingType: 1, certificate: digest };
  const answers = [{ type: "TLSA", name: owner, ttl: 60, data }] as never;
  names.table.set(
    `${owner} TLSA`,
    kind === "servfail" ? { rcode: rcode.servfail } : { secure, answers },
  );
}

/** The handshake fails as often as it is tried; without STARTTLS all is well. */
function failsHandshake(script: Script | undefined): Script {
  return (turn) => (turn.verb === "STARTTLS" ? script?.(turn) : undefined);
}

function injects({ verb }: Turn): Act {
  return verb === "STARTTLS" ? { raw: `${GO_AHEAD}250 injected\r\n` } : undefined;
}

function offersLess({ verb, session }: Turn): Act {
  if (verb !== "EHLO") return undefined;
  return session.secure
    ? "250 mx.test"
    : "250-mx.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 10\r\n250 STARTTLS";
}

const taken = (servers: readonly MailServer[]) => servers.flatMap((server) => server.taken());

function sentInClear({ servers }: Seen): string | undefined {
  return taken(servers).every(({ secure }) => !secure) ? undefined : "it went encrypted";
}

function tlsTold({ told }: Seen): Record<string, unknown> | undefined {
  const event = told[0]?.events.find(({ type }) => type === "email.delivered");
  return event?.postrider["tls"] as Record<string, unknown> | undefined;
}

function encryptedAs(verified: boolean): (seen: Seen) => string | undefined {
  return (seen) => {
    if (!taken(seen.servers).every(({ secure }) => secure)) return "it went in clear";
    if (seen.told[0]?.events.length === 0) return undefined;
    const tls = tlsTold(seen);
    return tls?.["verified"] === verified ? undefined : `tls is told as ${JSON.stringify(tls)}`;
  };
}

function encryptedUnverified(seen: Seen): string | undefined {
  return encryptedAs(false)(seen);
}

function encryptedVerified(seen: Seen): string | undefined {
  return encryptedAs(true)(seen);
}
