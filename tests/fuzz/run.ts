// Runs cases against the door as a function and judges each: no failure of its own, no hang, and of what was accepted not an octet
// that its sender did not mean.
import { readFileSync, readdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Submission } from "../../src/mail/submission.ts";
import { decodeCbor } from "../../src/submit/cbor.ts";
import { type Fixture, createFixture, KEY, network } from "../submit/doorFixture.ts";
import { type Case, caseFor } from "./bodies.ts";
import { drawFor } from "./draw.ts";
import type { Message } from "./message.ts";
import { composedFault, readBackFault, soundFault } from "./oracle.ts";
import { rawFault } from "./rawOracle.ts";

export interface Tally {
  bodies: number;
  accepted: number;
  readBack: number;
  readonly statuses: Record<string, number>;
  readonly failures: { readonly index: number; readonly why: string }[];
}

export interface Options {
  readonly seed: number;
  readonly from: number;
  readonly count: number;
  /** One in so many accepted messages is read back by another parser. */
  readonly readBackOf: number;
}

/** What the door may say. 5xx is none of it: the stage is never full. */
const expected = new Set([200, 202, 400, 409, 413, 415, 422]);
const HANG_MS = 20_000;
const FAILURES_MAX = 20;

export async function runFuzz(options: Options): Promise<Tally> {
  const tally: Tally = { bodies: 0, accepted: 0, readBack: 0, statuses: {}, failures: [] };
  const fixture = createFixture();
  try {
    const end = options.from + options.count;
    for (let index = options.from; index < end && tally.failures.length < FAILURES_MAX; index++) {
      const why = await runOne(fixture, caseFor(options.seed, index), options, index, tally).catch(
        (error: unknown) => String(error instanceof Error ? error.stack : error),
      );
      tally.bodies++;
      if (why !== undefined) tally.failures.push({ index, why });
      tidy(fixture);
    }
  } finally {
    fixture.close();
  }
  return tally;
}

function tidy(fixture: Fixture): void {
  fixture.taken.length = 0;
  fixture.calls.length = 0;
  fixture.logged.length = 0;
}

async function runOne(
  fixture: Fixture,
  one: Case,
  { seed, readBackOf }: Options,
  index: number,
  tally: Tally,
): Promise<string | undefined> {
  const answer = await within(
    Promise.resolve(fixture.door.fetch(requestOf(one, seed, index), network)),
  );
  if (answer === "hang") return "no answer";
  tally.statuses[answer.status] = (tally.statuses[answer.status] ?? 0) + 1;
  if (!expected.has(answer.status)) return `status ${answer.status} ${fixture.logged.join()}`;
  if (fixture.logged.length > 0) return fixture.logged.join();
  const said = await bodyOf(answer);
  if (answer.status >= 300) return problemFault(answer.status, said, fixture);
  tally.accepted += fixture.taken.length;
  const meant = meantBy(one, said);
  for (const [i, submission] of fixture.taken.entries()) {
    const body = bytesOf(fixture, submission);
    const wrong = soundFault(submission, body) ?? faultOf(one, submission, body, meant?.[i]);
    if (wrong !== undefined) return wrong;
    const message = meant?.[i];
    if (message === undefined || (index + i) % readBackOf !== 0) continue;
    tally.readBack++;
    const misread = await readBackFault(body, message);
    if (misread !== undefined) return misread;
  }
  const left = readdirSync(fixture.spoolFolder);
  return left.length === 0 ? undefined : `files are left: ${left.join()}`;
}

function faultOf(
  one: Case,
  submission: Submission,
  body: Buffer,
  meant: Message | undefined,
): string | undefined {
  if (formOf(one) === "raw")
    return rawFault(Buffer.from(one.body).toString("latin1"), body.toString("latin1"));
  return meant === undefined ? undefined : composedFault(submission, body, meant);
}

/** Some bodies come in pieces, as from a network. */
function requestOf(one: Case, seed: number, index: number): Request {
  const { path, headers } = one;
  // Copied: the door gives chunks back to the system.
  const body = new Uint8Array(one.body);
  const draw = drawFor(seed ^ 0x5eed, index);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length;) {
    const step = 1 + draw.int(draw.once(2) ? 40 : 100_000);
    pieces.push(body.slice(at, (at += step)));
    if (pieces.length > 200) pieces.push(body.slice(at, (at = body.length)));
  }
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
  return new Request(`http://door.test${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, ...headers },
    body: draw.once(2) ? body : stream,
  });
}

async function within<T>(work: Promise<T>): Promise<T | "hang"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"hang">((resolve) => {
    timer = setTimeout(() => resolve("hang"), HANG_MS);
  });
  const first = await Promise.race([work, late]);
  clearTimeout(timer);
  return first;
}

async function bodyOf(answer: Response): Promise<unknown> {
  const type = answer.headers.get("content-type") ?? "";
  if (!type.includes("cbor")) return (await answer.json()) as unknown;
  const decoded = decodeCbor(await answer.bytes());
  if (decoded.kind !== "ok") throw new Error("the answer is no CBOR");
  return decoded.value;
}

/** A refusal says what and where, and nothing was stored. */
function problemFault(status: number, said: unknown, fixture: Fixture): string | undefined {
  if (fixture.taken.length > 0) return "it was refused and stored";
  if (readdirSync(fixture.spoolFolder).length > 0) return "it was refused and left a file";
  const { name, detail, errors } = said as { name: string; detail: string; errors?: unknown };
  if (typeof name !== "string" || typeof detail !== "string" || detail.length > 2000)
    return `a problem without words: ${JSON.stringify(said).slice(0, 300)}`;
  if (status !== 422 || errors === undefined) return undefined;
  const places = errors as readonly { pointer: string; code: string; detail: string }[];
  const bad = places.find(
    (one) => !/^(?:$|\/|\?)/.test(one.pointer) || one.code === "" || one.detail === "",
  );
  return bad === undefined && places.length > 0 ? undefined : `a fault without a place`;
}

function bytesOf(fixture: Fixture, { head, body }: Submission): Buffer {
  if (head.body.kind === "inline") return Buffer.from(body ?? []);
  const path = join(fixture.spoolFolder, head.body.file);
  const bytes = readFileSync(path);
  unlinkSync(path);
  return bytes;
}

/** By the header that was sent, which may be another than the body is in. */
function formOf({ headers, form }: Case): Case["form"] | "other" {
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type === "") return form === "batch" ? "batch" : "json";
  if (type === "application/cbor") return "cbor";
  if (type === "message/rfc822") return "raw";
  return type === "multipart/form-data" ? "form" : "other";
}

/** What was meant by each message that was accepted, where the body says it. */
function meantBy(one: Case, said: unknown): readonly Message[] | undefined {
  switch (formOf(one)) {
    case "json":
      return [decodeText(one.body) as Message];
    case "cbor": {
      const decoded = decodeCbor(one.body);
      return decoded.kind === "ok" ? [decoded.value as Message] : undefined;
    }
    case "form":
      return one.meant === undefined ? undefined : [one.meant];
    case "batch":
      return batchMeant(decodeText(one.body), said);
    default:
      return undefined;
  }
}

function batchMeant(body: unknown, said: unknown): readonly Message[] {
  const list = Array.isArray(body)
    ? (body as Message[])
    : ((body as Message)["emails"] as Message[]);
  const { errors = [] } = said as { errors?: readonly { index: number }[] };
  const refused = new Set(errors.map(({ index }) => index));
  return list.filter((_, i) => !refused.has(i));
}

function decodeText(body: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(body)) as unknown;
}
