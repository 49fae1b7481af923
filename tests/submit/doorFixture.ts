// A door with every neighbour replaced by something that can be looked at: what the queue was handed, what the reader was asked.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { showLogLevels } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Command, CommandAnswer } from "../../src/mail/command.ts";
import { createIds, hostTag } from "../../src/mail/id.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Answer, Query } from "../../src/mail/query.ts";
import type { AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import type { TraceWish } from "../../src/mail/trace.ts";
import { digestOf } from "../../src/submit/auth.ts";
import { owner as everything } from "../../src/submit/caller.ts";
import {
  createDoor,
  type DoorDeps,
  type DoorLimits,
  type Health,
  type Peer,
} from "../../src/submit/door.ts";
import { createInboxFiles } from "../../src/submit/inboxFiles.ts";
import { createSpool } from "../../src/submit/spool.ts";
import { createSessions } from "../../src/submit/ui/sessions.ts";

export const defaultLimits: DoorLimits = {
  messageBytes: 40_000_000,
  recipientsPerField: 50,
  batchMessages: 1000,
};

export const KEY = "pr_test_key";
const first = { id: "first", digest: digestOf(KEY), caller: everything };
export const tag = hostTag(new Uint8Array(8).fill(7));
export const network: Peer = { caller: null, addressOf: () => "192.0.2.7" };
export const loopback: Peer = { caller: null, addressOf: () => "127.0.0.1" };
export const owner: Peer = { caller: everything, addressOf: () => null };

export interface Fixture {
  readonly door: ReturnType<typeof createDoor>;
  /** Everything that was accepted, in order. */
  readonly taken: Submission[];
  /** Calls of `accept`. */
  readonly calls: (readonly Submission[])[];
  readonly asked: Query[];
  readonly ordered: Command[];
  readonly traces: { wish: TraceWish; hear: Parameters<DoorDeps["trace"]>[1]; closed: boolean }[];
  readonly logged: string[];
  readonly spoolFolder: string;
  readonly meter: ReturnType<typeof createMeter>;
  answer: AcceptAnswer;
  reply: Answer;
  told: CommandAnswer;
  health: Health;
  /** With the key, as JSON unless it is bytes already. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  close(): void;
}

const noWebhooks: DoorDeps["webhooks"] = {
  records: () => [],
  pending: () => 0,
  mayReplay: () => true,
  replay: () => {},
  opened: () => [],
};

const noFigures: DoorDeps["figures"] = {
  view: () => Promise.reject(new Error("no figures here")),
  nextPoint: async () => false,
  sites: async () => [],
};

const noDomains: DoorDeps["domains"] = {
  list: () => [],
  get: () => ({ kind: "missing" }),
  add: async () => ({ kind: "missing" }),
  remove: async () => ({ kind: "missing" }),
  verify: async () => ({ kind: "missing" }),
};

const noJournal: Pick<DoorDeps, "journal" | "logLevel"> = {
  journal: async () => ({ object: "list", has_more: false, data: [] }),
  logLevel: {
    view: () => ({ object: "log_level", level: "info", until: null }),
    set: (levels) => ({ object: "log_level", level: showLogLevels(levels), until: null }),
  },
};

export function createFixture(change: Partial<DoorDeps> = {}): Fixture {
  const folder = mkdtempSync(join(tmpdir(), "postrider-door-"));
  const random = seededRandom(1);
  const meter = createMeter(boundsOf);
  const ids = createIds(0);
  const { keys = () => [first], clock = systemClock } = change;
  const fixture: Fixture = {
    taken: [],
    calls: [],
    asked: [],
    ordered: [],
    traces: [],
    logged: [],
    spoolFolder: folder,
    meter,
    answer: { kind: "accepted" },
    reply: { kind: "missing" },
    told: { kind: "done", value: { object: "queue" } },
    health: { kind: "accepting" },
    door: createDoor({
      accept: async (messages) => {
        fixture.calls.push(messages);
        if (fixture.answer.kind === "accepted") fixture.taken.push(...messages);
        return fixture.answer;
      },
      ask: async (query) => {
        fixture.asked.push(query);
        return fixture.reply;
      },
      reload: async () => fixture.told,
      trace(wish, hear) {
        fixture.traces.push({ wish, hear, closed: false });
        const place = fixture.traces.length - 1;
        return { close: () => void (fixture.traces[place]!.closed = true) };
      },
      ...noJournal,
      explain: async (domain) => ({ kind: "done", value: { domain } }),
      order: async (command) => {
        fixture.ordered.push(command);
        return fixture.told;
      },
      feed: { end: async () => null, next: async () => null },
      domains: noDomains,
      webhooks: noWebhooks,
      ids,
      tag,
      hostname: "mail.example.com",
      ...{ keys, keyRecords: () => [], sessions: createSessions({ keys, clock, random }) },
      figures: noFigures,
      clock: systemClock,
      random,
      limits: defaultLimits,
      health: () => fixture.health,
      spool: createSpool(folder, random),
      inbox: createInboxFiles(folder),
      meter,
      metrics: () => ({ type: "text/plain", text: "# nothing\n" }),
      version: "0.0.0-test",
      log(level, event, fields) {
        // What is refused is told too, and is no fault.
        if (level === "error") fixture.logged.push(`${event} ${fields?.["error"]}`);
      },
      ...change,
    }),
    post: async (path, body, headers = {}) =>
      fixture.door.fetch(
        new Request(`http://door.test${path}`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${KEY}`,
            "content-type": "application/json",
            ...headers,
          },
          body:
            typeof body === "string" || body instanceof Uint8Array
              ? (body as string)
              : JSON.stringify(body),
        }),
        network,
      ),
    get: async (path, headers = {}) =>
      fixture.door.fetch(
        new Request(`http://door.test${path}`, {
          headers: { authorization: `Bearer ${KEY}`, ...headers },
        }),
        network,
      ),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
  return fixture;
}

export const message = {
  from: "Shop <shop@example.com>",
  to: ["Ada <ada@example.org>"],
  subject: "Your order",
  text: "It is on its way.",
};

/** The parts of a problem that tests look at. */
export interface ProblemBody {
  readonly status: number;
  readonly name: string;
  readonly detail: string;
  readonly request_id: string;
  readonly errors?: readonly { pointer: string; code: string; detail: string }[];
}

export async function problemOf(response: Response): Promise<ProblemBody> {
  return (await response.json()) as ProblemBody;
}
