// What is said in a dialogue, written down while it is said: references and times, no text is made. Who keeps it, or listens to it
// live, makes text of it afterwards (tellings.ts, trace.ts); most of it is a `2xx` that nobody will ever look at.
import type { EpochMs } from "../base/clock.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import type { Line } from "../smtp/command.ts";
import type { Happened, Lost, Want } from "../smtp/dialogue.ts";
import type { Phase } from "../smtp/phases.ts";
import type { Reply } from "../smtp/reply.ts";
import { SECRET_MIN, without } from "../smtp/secrets.ts";
import { harmless } from "../smtp/text.ts";
import { octetsOf, type Body } from "./body.ts";

/** One command and what came of it. Instants are of the monotonic clock. */
export interface Said {
  readonly phase: Phase | "connect";
  readonly sentAtMs: number;
  readonly tookMs: number;
  readonly sent: string;
  readonly reply: Reply | null;
  /** Where there is no reply: what came instead. */
  readonly text: string;
}

/** Told of each line as it is said. */
export interface Ear {
  us(text: string): void;
  heard(said: Said): void;
}

/** One connection, as far as one attempt uses it. */
export interface Recording {
  readonly session: string;
  readonly host: string;
  readonly address: string;
  source: string;
  readonly at: EpochMs;
  readonly beganAtMs: number;
  readonly reused: boolean;
  readonly said: Said[];
  ear: Ear | null;
  /** Of the login, while the connection is opened. */
  secrets: readonly string[];
}

export type Beginning = Omit<Recording, "said" | "ear" | "secrets">;

export function createRecording(beginning: Beginning): Recording {
  // Member by member: once a message, a spread was a fifth of the whole recorder's cost.
  const { session, host, address, source, at, beganAtMs, reused } = beginning;
  return {
    session,
    host,
    address,
    source,
    at,
    beganAtMs,
    reused,
    said: [],
    ear: null,
    secrets: none,
  };
}

const none: readonly string[] = [];

/** What a talk knows of the lines whose replies it waits for. */
export interface Speaking {
  readonly recording: Recording | null;
  /** Of a group, all lines; of a message, its size in words. */
  sending: Line | string | readonly Line[] | null;
  /** When they left. */
  readonly sentAt: number;
}

/** Before it is said. The reply to a dot that follows a message answers to the message. */
export function noteAsked(speaking: Speaking, want: Want): void {
  if (want.want === "body" || want.want === "tls" || want.send === null) return;
  speaking.sending = want.send;
  const ear = speaking.recording?.ear ?? null;
  if (ear === null) return;
  if (want.want === "replies") for (const line of want.send) ear.us(line);
  else ear.us(want.phase === "auth" ? masked(want.send) : want.send);
}

/** Of the message itself only its size is told. */
export function noteBody(speaking: Speaking, body: Body): void {
  const octets = octetsOf(body);
  speaking.sending = octets === undefined ? "(the message)" : `(${octets} octets)`;
  speaking.recording?.ear?.us(speaking.sending);
}

/** A large one takes a time of its own. */
export function notePoured(speaking: Speaking, happened: Happened, nowMs: number): void {
  const { recording, sending, sentAt } = speaking;
  if (recording === null || happened.got === "lost") return;
  const reply = happened.got === "early" ? happened.reply : null;
  const text = happened.got === "spoiled" ? harmless(happened.text) : "";
  const tookMs = nowMs - sentAt;
  note(recording, {
    ...{ phase: "body", sentAtMs: sentAt, tookMs, reply, text },
    sent: typeof sending === "string" ? sending : "",
  });
  speaking.sending = ".";
}

/** `i`: which of the lines it answers. */
export function noteReply(
  { recording, sending, sentAt }: Speaking,
  phase: Phase,
  i: number,
  reply: Reply,
  tookMs: number,
): void {
  if (recording === null) return;
  const sent = lineAt(sending, i);
  const plain: Said = { phase, sentAtMs: sentAt, tookMs, sent, reply, text: "" };
  const said = phase === "auth" ? unsecret(plain, recording.secrets) : plain;
  recording.said.push(said);
  recording.ear?.heard(said);
}

/** What ended it while replies to `unanswered` were waited for, or none of them. */
export function noteLoss(
  { recording, sending, sentAt }: Speaking,
  unanswered: readonly Said["phase"][],
  { lost, nowMs, answered }: { readonly lost: Lost; readonly nowMs: number; answered: number },
): void {
  if (recording === null) return;
  const text = `${lost.why}: ${harmless(lost.text)}`;
  for (const [i, phase] of unanswered.entries()) {
    const line = lineAt(sending, answered + i);
    const sent = phase === "auth" ? masked(line) : line;
    const said = { phase, sentAtMs: sentAt, tookMs: nowMs - sentAt, sent, reply: null };
    // The reason stands once: of those behind it nothing is known.
    recording.said.push({ ...said, text: i === 0 ? text : "no answer" });
  }
  const last = recording.said.at(-unanswered.length);
  if (last !== undefined && recording.ear !== null) recording.ear.heard(last);
}

export function noteSecured(
  recording: Recording | null,
  { version, cipher, verified, resumed, unproven }: TlsFacts,
  { sentAtMs, tookMs }: { readonly sentAtMs: number; readonly tookMs: number },
): void {
  if (recording === null) return;
  const proof = verified ? "verified" : `not verified: ${unproven}`;
  const text = `${version} ${cipher}, ${resumed ? "resumed, " : ""}${harmless(proof)}`;
  note(recording, { phase: "tls", sentAtMs, tookMs, sent: "", reply: null, text });
}

function lineAt(sending: Speaking["sending"], i: number): string {
  if (sending === null) return "";
  return typeof sending === "string" ? sending : (sending[i] ?? "");
}

export function note(recording: Recording | null, said: Said): void {
  if (recording === null) return;
  recording.said.push(said);
  recording.ear?.heard(said);
}

/** Whatever a login sends is a secret, but for the name of its mechanism. */
export function masked(line: string): string {
  const mechanism = /^AUTH [A-Z0-9_-]+/i.exec(line)?.[0];
  return mechanism === undefined ? "***" : `${mechanism} ***`;
}

/** A challenge is half of a secret (RFC 4954 4), and some servers repeat what they were sent. */
function unsecret(said: Said, known: readonly string[]): Said {
  const { sent, reply } = said;
  if (reply === null) return { ...said, sent: masked(sent) };
  const secrets = [...secretsIn(sent), ...known];
  const lines =
    reply.code < 400 && reply.code >= 300
      ? ["***"]
      : reply.lines.map((text) => without(secrets, text));
  return { ...said, sent: masked(sent), reply: { ...reply, lines } };
}

/** What was sent, and what it says: PLAIN has its parts between zeros (RFC 4616 2). */
function secretsIn(sent: string): string[] {
  const encoded = sent.replace(/^AUTH [^ ]+ ?/i, "");
  const decoded = Buffer.from(encoded, "base64").toString("latin1").split("\0");
  return [encoded, ...decoded].filter((one) => one.length >= SECRET_MIN);
}
