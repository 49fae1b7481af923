// What the tests of faults share: the compiled daemon in a folder of its own, and the API as a user asks it.
import { expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Daemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

/** What was started, in order; all of it ends, the last one first, whatever failed. */
export interface Ends {
  add(end: () => unknown): void;
  run(): Promise<void>;
}

export function createEnds(): Ends {
  const ends: (() => unknown)[] = [];
  return {
    add: (end) => void ends.push(end),
    async run() {
      const errors: unknown[] = [];
      for (const end of ends.splice(0).reverse())
        try {
          await end();
        } catch (error) {
          errors.push(error);
        }
      if (errors.length > 0) throw new AggregateError(errors, "not everything ended well");
    },
  };
}

/** An empty folder that goes with the test. */
export function newFolder(ends: Ends): string {
  const folder = mkdtempSync(join(tmpdir(), "postrider-faults-"));
  ends.add(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `use` and ends what it started. */
export async function within(use: (ends: Ends) => Promise<void>): Promise<void> {
  const ends = createEnds();
  try {
    await use(ends);
  } finally {
    await ends.run();
  }
}

/** As `errors` of problem+json. */
export interface Problem {
  readonly status: number;
  readonly name: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
}

export type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

export function post(daemon: Daemon, body: Body, type = "application/json"): Promise<Response> {
  // A CBOR body would be answered in CBOR.
  const headers = { "content-type": type, accept: "application/json" };
  return daemon.request("/send", { method: "POST", headers, body });
}

export function letter(to: string, more: object = {}): string {
  return JSON.stringify({ from: "a@sender.test", to, subject: "s", text: "t", ...more });
}

/** The id of a message that was accepted. */
export async function send(daemon: Daemon, to: string, more: object = {}): Promise<string> {
  const answer = await post(daemon, letter(to, more));
  const text = await answer.text();
  expect([answer.status, text]).toEqual([202, text]);
  return (JSON.parse(text) as { id: string }).id;
}

export interface Shown {
  readonly address: string;
  readonly state: string;
  readonly attempts: number;
  readonly next_attempt_at: string | null;
  readonly last: string | null;
}

/** Its only recipient. */
export async function shown(daemon: Daemon, id: string): Promise<Shown> {
  const email = await (await daemon.request(`/emails/${id}`)).json();
  return (email as { recipients: readonly [Shown] }).recipients[0];
}

export function reaches(daemon: Daemon, id: string, state: string): Promise<Shown> {
  return until(`${id} is ${state}`, async () => {
    const one = await shown(daemon, id);
    return one.state === state && one;
  });
}

export interface Told {
  readonly type: string;
  readonly postrider: Readonly<Record<string, unknown>>;
}

export async function timeline(daemon: Daemon, id: string): Promise<Told[]> {
  const list = await (await daemon.request(`/emails/${id}/events`)).json();
  const { data } = list as { data: { type: string; data: { postrider: Told["postrider"] } }[] };
  return data.map((one) => ({ type: one.type, postrider: one.data.postrider }));
}

export interface Count {
  readonly state: string;
  readonly recipients: number;
}

/** Recipients by state, over all that the daemon knows. */
export async function counts(daemon: Daemon): Promise<Readonly<Record<string, number>>> {
  const queue = (await (await daemon.request("/queue")).json()) as { counts: readonly Count[] };
  const sums: Record<string, number> = {};
  for (const { state, recipients } of queue.counts) sums[state] = (sums[state] ?? 0) + recipients;
  return sums;
}
