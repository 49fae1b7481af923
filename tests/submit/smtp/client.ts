// A client of the SMTP listener in memory: what it sends goes in whole or octet by octet, what it is told is kept, time is pushed.
import type { Clock } from "../../../src/base/clock.ts";
import { serverLimits, serverTimeouts } from "../../../src/smtp/server/phases.ts";
import { said } from "../../../src/smtp/server/said.ts";
import type { ServerEnvelope, ServerOptions } from "../../../src/smtp/server/speech.ts";
import {
  type Connection,
  createConnection,
  type Decision,
  type Desk,
} from "../../../src/submit/smtp/connection.ts";

export const usual: ServerOptions = {
  hostname: "mx.example",
  limits: serverLimits,
  offersTls: true,
  secure: false,
  clearLogin: true,
};

export const LOGIN = "EHLO me\r\nAUTH PLAIN AHUAa2V5\r\n";
export const MAIL = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";

/** A message as the taker saw it. */
export interface Came {
  readonly envelope: ServerEnvelope;
  text: string;
  ended: boolean;
  discarded: boolean;
}

export interface Client {
  readonly connection: Connection;
  /** Everything that it was told. */
  told(): string;
  /** The codes of all replies. */
  codes(): number[];
  /** What was told since the last call. */
  fresh(): string;
  send(text: string): Promise<void>;
  /** One octet at a time. */
  trickle(text: string): Promise<void>;
  readonly came: Came[];
  readonly refusals: string[];
  readonly failures: unknown[];
  /** "open", "ended": we said our last word, "destroyed". */
  state(): string;
  paused(): boolean;
  handshakes(): number;
  /** Time goes by. */
  pass(ms: number): Promise<void>;
  /** What the client does not read holds us up from now on, or no longer. */
  deaf(isDeaf: boolean): void;
}

export interface ClientOptions {
  readonly options?: Partial<ServerOptions>;
  readonly desk?: Partial<Desk>;
  /** What becomes of each message at its end. */
  readonly end?: () => Promise<Decision>;
  readonly write?: () => Promise<void>;
}

/** All promises that are ready have run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

export function createPushedClock(): Clock & { push(ms: number): void; waiting(): number } {
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => 1_800_000_000_000 + nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((one) => one !== timer)) };
    },
    soon: (run) => void Promise.resolve().then(run),
    push(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const next = timers
          .filter(({ atMs }) => atMs <= untilMs)
          .sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        timers = timers.filter((one) => one !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      nowMs = untilMs;
    },
    waiting: () => timers.length,
  };
}

const wrong: Decision = { got: "no", said: said(535, "5.7.8", "Wrong key", "invalid_api_key") };

export function createClient(wish: ClientOptions = {}): Client & {
  readonly clock: ReturnType<typeof createPushedClock>;
} {
  const clock = createPushedClock();
  const came: Came[] = [];
  const refusals: string[] = [];
  const failures: unknown[] = [];
  let told = "";
  let heardTo = 0;
  let state = "open";
  let paused = false;
  let isDeaf = false;
  let handshakes = 0;
  const desk: Desk = {
    login: (password) => (password === "key" ? { got: "yes", value: "" } : wrong),
    sender: (address) => ({ got: "yes", value: address }),
    recipient: (address) => ({ got: "yes", value: address }),
    take(envelope) {
      const one: Came = { envelope, text: "", ended: false, discarded: false };
      came.push(one);
      return {
        async write(bytes) {
          one.text += Buffer.from(bytes).toString("latin1");
          await wish.write?.();
        },
        async end() {
          one.ended = true;
          return (await wish.end?.()) ?? { got: "yes", value: `ID${came.length}` };
        },
        async discard() {
          one.discarded = true;
        },
      };
    },
    ...wish.desk,
  };
  const connection = createConnection({
    clock,
    options: { ...usual, ...wish.options },
    timeouts: serverTimeouts,
    desk,
    refused: (reason) => void refusals.push(reason),
    failed: (error) => void failures.push(error),
    wire: {
      write(text) {
        told += text;
        return !isDeaf;
      },
      pause: () => void (paused = true),
      resume: () => void (paused = false),
      startTls: () => void handshakes++,
      end: () => void (state = "ended"),
      destroy() {
        state = "destroyed";
        connection.closed();
      },
    },
  });
  connection.start();
  return {
    clock,
    connection,
    came,
    refusals,
    failures,
    told: () => told,
    codes: () => [...told.matchAll(/^(\d{3})(?: |$)/gm)].map((match) => Number(match[1])),
    fresh() {
      const text = told.slice(heardTo);
      heardTo = told.length;
      return text;
    },
    async send(text) {
      connection.received(Buffer.from(text, "latin1"));
      await settle();
    },
    async trickle(text) {
      for (const octet of Buffer.from(text, "latin1")) {
        connection.received(Buffer.of(octet));
        await settle();
      }
    },
    state: () => state,
    paused: () => paused,
    handshakes: () => handshakes,
    async pass(ms) {
      clock.push(ms);
      await settle();
    },
    deaf(next) {
      isDeaf = next;
      if (!isDeaf) connection.drained();
    },
  };
}
