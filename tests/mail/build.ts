// Drafts and raw messages for the tests, from plain strings.
import { parseMailbox } from "../../src/mail/address.ts";
import type { Mailbox } from "../../src/mail/address.ts";
import type { Draft } from "../../src/mail/compose/compose.ts";
import { parseHeaderName, parseHeaderText } from "../../src/mail/compose/headerText.ts";
import type { HeaderName, HeaderText, Parsed } from "../../src/mail/compose/headerText.ts";

import type { RawFault } from "../../src/mail/raw/header.ts";
import { createRawIntake } from "../../src/mail/raw/intake.ts";
import type { RawOptions, RawTaken } from "../../src/mail/raw/intake.ts";

export function must<T>(parsed: Parsed<T>): T {
  if (parsed.kind === "refused") throw new Error(parsed.why);
  return parsed.value;
}

export const mailbox = (text: string): Mailbox => must(parseMailbox(text));
export const headerText = (text: string): HeaderText => must(parseHeaderText("text", text));
export const headerName = (text: string): HeaderName => must(parseHeaderName(text));

/** A mailbox whose name needs no quoting by the test. */
export const named = (name: string, address: string): Mailbox => ({
  ...mailbox(address),
  name: headerText(name),
});

export function draft(changes: Partial<Draft> = {}): Draft {
  return {
    from: mailbox("John Doe <jdoe@machine.example>"),
    to: [mailbox("mary@example.net")],
    cc: [],
    replyTo: [],
    subject: headerText("Saying Hello"),
    text: "This is a message just to say hello.\n",
    html: null,
    headers: [],
    attachments: [],
    date: Date.UTC(1997, 10, 21, 15, 55, 6),
    messageId: headerText("1234@local.machine.example"),
    boundary: "0123456789abcdef",
    received: null,
    ...changes,
  };
}

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** A message that is there already, through the intake in one piece. */
export function takeRaw(
  message: Uint8Array,
  options: RawOptions,
): (Omit<RawTaken, "bytes"> & { readonly bytes: Uint8Array }) | RawFault {
  const intake = createRawIntake(options);
  const first = intake.write(message);
  if (first.kind === "fault") return first;
  const last = intake.end();
  if (last.kind === "fault") return last;
  return { ...last, bytes: Buffer.concat([...first.bytes, ...last.bytes]) };
}
