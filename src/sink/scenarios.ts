// What the receiving server does, chosen by the address: the local part up to a `+` names a row of
// this table, so a test needs no set-up and `soft-rcpt+7@anything.test` is a scenario. Any other
// local part is simply accepted. The table is the documentation.
//
// Phases after RCPT belong to the transaction: the first accepted recipient with a row for the
// phase decides. `mail` looks at the sender's local part, since no recipient is known yet. Rows of
// the greeting, EHLO and STARTTLS are known even later: such an address is answered 421 at RCPT,
// and the row holds for the next connection. A domain may name them too (`x@slow-220.test` when the
// caller tells the dialogue its domain).

export const sinkPhases = [
  "220",
  "ehlo",
  "starttls",
  "mail",
  "rcpt",
  "data",
  "body",
  "dot",
] as const;
export type SinkPhase = (typeof sinkPhases)[number];

/** `drop` closes without a reply; `taken` says whether the message was kept before that. */
export type Reaction =
  | { readonly kind: "reply"; readonly text: string; readonly close?: boolean }
  | { readonly kind: "delay"; readonly delayMs: number }
  | { readonly kind: "hang"; readonly taken?: boolean }
  | { readonly kind: "drop"; readonly taken?: boolean }
  | { readonly kind: "greylist"; readonly delayMs: number };

export interface Scenario {
  readonly phase: SinkPhase;
  readonly reaction: Reaction;
}

const SLOW_MS = 5_000;
const GREYLIST_MS = 10_000;
const HUGE_REPLY_BYTES = 2_000_000;
const MANY_LINES = 10_000;

const reply = (phase: SinkPhase, text: string, close = false): Scenario => ({
  phase,
  reaction: { kind: "reply", text, close },
});
const delay = (phase: SinkPhase): Scenario => ({
  phase,
  reaction: { kind: "delay", delayMs: SLOW_MS },
});
const hang = (phase: SinkPhase, taken = false): Scenario => ({
  phase,
  reaction: { kind: "hang", taken },
});
/** Its text is made when it is said: each sender thread holds this table, for the sink inside the daemon. */
const huge = (phase: SinkPhase, text: () => string): Scenario => ({
  phase,
  reaction: {
    kind: "reply",
    get text() {
      return text();
    },
    close: false,
  },
});
const drop = (phase: SinkPhase, taken = false): Scenario => ({
  phase,
  reaction: { kind: "drop", taken },
});

export const scenarios: ReadonlyMap<string, Scenario> = new Map<string, Scenario>([
  // Refusals of one recipient.
  ["bounced", reply("rcpt", "550 5.1.1 No such mailbox here")],
  ["hard-rcpt", reply("rcpt", "550 5.1.1 No such mailbox here")],
  ["soft-rcpt", reply("rcpt", "451 4.3.0 Try this recipient again later")],
  ["full", reply("rcpt", "452 4.2.2 The mailbox is full")],
  ["moved", reply("rcpt", "551 5.1.6 The mailbox has moved")],
  ["blocked", reply("rcpt", "550 5.7.1 The sender is blocked by policy")],
  ["rate", reply("rcpt", "450 4.7.1 Too many messages, slow down")],
  ["bare-code", reply("rcpt", "550")],
  [
    "greylist",
    { phase: "rcpt", reaction: { kind: "greylist", delayMs: GREYLIST_MS } satisfies Reaction },
  ],

  // Refusals of the sender, by the sender's own local part.
  ["soft-mail", reply("mail", "451 4.3.0 Try this sender again later")],
  ["hard-mail", reply("mail", "550 5.1.8 The sender is not welcome")],

  // Refusals of the message.
  ["soft-data", reply("data", "451 4.3.0 No room for a message now")],
  ["hard-data", reply("data", "554 5.7.0 No message is taken")],
  ["bad-250-to-data", reply("data", "250 2.0.0 A reply of the wrong class")],
  ["soft-dot", reply("dot", "451 4.3.0 The message could not be stored now")],
  ["hard-dot", reply("dot", "554 5.6.0 The message is refused")],
  ["spam", reply("dot", "550 5.7.1 The message looks like spam")],
  ["size", reply("dot", "552 5.3.4 The message is too big")],

  // The server stops its service: reply and close.
  ["421-mail", reply("mail", "421 4.3.2 Closing", true)],
  ["421-rcpt", reply("rcpt", "421 4.3.2 Closing", true)],
  ["421-data", reply("data", "421 4.3.2 Closing", true)],
  ["421-dot", reply("dot", "421 4.3.2 Closing", true)],

  // The connection ends without a word. `drop-after-dot` keeps the message, `lose-at-dot` does not:
  // the client cannot know.
  ["drop-at-rcpt", drop("rcpt")],
  ["drop-at-data", drop("data")],
  ["drop-in-body", drop("body")],
  ["drop-after-dot", drop("dot", true)],
  ["lose-at-dot", drop("dot")],

  // Silence.
  ["slow", delay("dot")],
  ["slow-rcpt", delay("rcpt")],
  ["slow-data", delay("data")],
  ["slow-dot", delay("dot")],
  ["hang-rcpt", hang("rcpt")],
  ["hang-data", hang("data")],
  ["hang-dot", hang("dot")],
  ["hang-after-dot", hang("dot", true)],

  // Replies that no server should send.
  ["long-reply", huge("rcpt", () => `250 ${"x".repeat(HUGE_REPLY_BYTES)}`)],
  ["long-reply-dot", huge("dot", () => `250 ${"x".repeat(HUGE_REPLY_BYTES)}`)],
  ["many-lines", huge("rcpt", () => `${"250-and more\r\n".repeat(MANY_LINES)}250 done`)],
  ["garbage", reply("rcpt", "\u00ff\u00fe\u0000 not a reply")],
  ["eight-bit-reply", reply("rcpt", "550 5.1.1 Bo\u00eete inconnue \u009b31m")],
  ["mixed-codes", reply("rcpt", "250-yes\r\n550 no")],
  ["zero-code", reply("rcpt", "000 5.0.0 what")],

  // Known before any recipient: for the next connection, or by domain.
  ["slow-220", delay("220")],
  ["hang-220", hang("220")],
  ["soft-220", reply("220", "421 4.3.2 Too busy", true)],
  ["hard-220", reply("220", "554 5.7.1 No service for you", true)],
  ["drop-220", drop("220")],
  ["garbage-220", reply("220", "HTTP/1.1 400 Bad Request")],
  ["hang-ehlo", hang("ehlo")],
  ["drop-ehlo", drop("ehlo")],
  ["no-ehlo", reply("ehlo", "502 5.5.1 Speak HELO")],
  ["soft-starttls", reply("starttls", "454 4.7.0 TLS is not available now")],
  ["drop-starttls", drop("starttls")],
  ["inject-starttls", reply("starttls", "220 2.0.0 Go ahead\r\n250 injected")],
]);

/**
 * `ok` and `delivered` are accepted as any unknown name is; they stand here so that the list of
 * names is whole.
 */
export const plainNames: readonly string[] = ["ok", "delivered"];

export function scenarioOf(address: string): Scenario | undefined {
  const at = address.lastIndexOf("@");
  const local = at < 0 ? address : address.slice(0, at);
  const plus = local.indexOf("+");
  return scenarios.get((plus < 0 ? local : local.slice(0, plus)).toLowerCase());
}

/** A domain's first label may name what happens before a recipient is known. */
export function scenarioOfDomain(domain: string): Scenario | undefined {
  const found = scenarios.get((domain.split(".", 1)[0] ?? "").toLowerCase());
  return found !== undefined && isEarly(found.phase) ? found : undefined;
}

export function isEarly(phase: SinkPhase): boolean {
  return phase === "220" || phase === "ehlo" || phase === "starttls";
}
