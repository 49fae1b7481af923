// The store alone: CPU a message for accept and settle in group commits, on top of a long history. The figure that the queue
// thread's budget (DESIGN 9) is built on.  scripts/bench writer [--history N] [--queued N] [--messages N] [--batch N]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemRandom } from "../../src/base/random.ts";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import type { Committed, QueueStore } from "../../src/queue/store.ts";
import { HISTORY_START, placeHistory, SAMPLE_FACTS, SAMPLE_STEP } from "./history.ts";

const BODY_BYTES = 5000;
/** Batches between a message's acceptance and its verdict: about what is on the wire in the daemon. */
const FLIGHT_BATCHES = 16;
const LEASE_MS = 600_000;

interface Profile {
  readonly name: string;
  readonly messages: number;
  readonly batch: number;
}

interface Figures {
  readonly name: string;
  readonly batch: number;
  readonly messages: number;
  readonly cpuMicrosPerMessage: number;
  readonly userMicrosPerMessage: number;
  readonly messagesPerSecond: number;
  readonly commits: number;
  readonly commitP50Ms: number;
  readonly commitP99Ms: number;
  readonly walMaxBytes: number;
}

interface Flight {
  readonly message: number;
  readonly claim: number;
}

let counter = 0;
/** After all of the history. */
const START = HISTORY_START + 500_000_000_000;

function nextId(): number {
  counter++;
  return START * IDS_PER_MS + counter * 37;
}

function committed<T>(result: Committed<T>): T {
  if (result.kind === "failed") throw new Error(result.text);
  return result.value;
}

/** Runs `step` until it says so, and measures all of it. One step is one commit. */
function measure(profile: Profile, store: QueueStore, step: () => boolean): Figures {
  const times: number[] = [];
  let walMaxBytes = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let more = true; more;) {
    const before = performance.now();
    more = step();
    times.push(performance.now() - before);
    store.writeBack();
    if (times.length % 64 === 0) walMaxBytes = Math.max(walMaxBytes, store.size().walBytes);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  return {
    name: profile.name,
    batch: profile.batch,
    messages: profile.messages,
    cpuMicrosPerMessage: round((user + system) / profile.messages),
    userMicrosPerMessage: round(user / profile.messages),
    messagesPerSecond: Math.round(profile.messages / seconds),
    commits: times.length,
    commitP50Ms: at(0.5),
    commitP99Ms: at(0.99),
    walMaxBytes,
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const bodies = new Uint8Array(BODY_BYTES * 256).map((_, i) => i & 127);

function acceptOne(store: QueueStore, i: number, leased: boolean): Flight {
  const id = nextId();
  const acceptedAt = Math.floor(id / IDS_PER_MS);
  const claim = leased ? store.nextClaim() : 0;
  const address = `customer${counter}@example.com`;
  const from = (i % 256) * BODY_BYTES;
  store.accept({
    head: {
      id,
      acceptedAt,
      from: "orders@shop.example",
      recipients: [address],
      priority: 1,
      dueAt: acceptedAt,
      expiresAt: null,
      sizeBytes: BODY_BYTES,
      sha256: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
      eightBit: false,
      utf8: false,
      facts: SAMPLE_FACTS,
      body: { kind: "inline", length: BODY_BYTES },
    },
    body: bodies.subarray(from, from + BODY_BYTES),
    recipients: [
      {
        n: 0,
        address,
        site: 1,
        state: leased
          ? { at: "sending", claim, leaseUntil: acceptedAt + LEASE_MS, attempts: 0 }
          : { at: "queued", dueAt: acceptedAt, attempts: 0 },
      },
    ],
  });
  return { message: id, claim };
}

function settleOne(store: QueueStore, { message, claim }: Flight): void {
  const at = Math.floor(message / IDS_PER_MS) + 20;
  const settled = store.settle({
    message,
    n: 0,
    claim,
    next: { at: "delivered", endedAt: at, attempts: 1 },
    step: SAMPLE_STEP,
    event: "email.delivered",
    at,
  });
  if (!settled) throw new Error(`lease ${claim} of ${message} was lost`);
}

/** The daemon's steady state: each commit holds a batch of new messages and the verdicts of an earlier one. */
function steady(store: QueueStore, profile: Profile): Figures {
  const flights: Flight[][] = [];
  let begun = 0;
  return measure(profile, store, () => {
    committed(
      store.transaction(() => {
        if (begun < profile.messages) {
          const flight: Flight[] = [];
          for (let i = 0; i < profile.batch; i++) flight.push(acceptOne(store, begun + i, true));
          flights.push(flight);
          begun += profile.batch;
        }
        if (flights.length <= FLIGHT_BATCHES && begun < profile.messages) return;
        for (const flight of flights.shift() ?? []) settleOne(store, flight);
      }),
    );
    return begun < profile.messages || flights.length > 0;
  });
}

/** The window is full: what comes in waits in the index. */
function backlog(store: QueueStore, profile: Profile): Figures {
  let begun = 0;
  return measure(profile, store, () => {
    committed(
      store.transaction(() => {
        for (let i = 0; i < profile.batch; i++) acceptOne(store, begun + i, false);
      }),
    );
    begun += profile.batch;
    return begun < profile.messages;
  });
}

/** The destination is back: claim, read the bytes, settle. */
function drain(store: QueueStore, profile: Profile): Figures {
  let done = 0;
  let flights: Flight[] = [];
  const now = 8_000_000_000_000;
  return measure(profile, store, () => {
    committed(
      store.transaction(() => {
        for (const flight of flights) settleOne(store, flight);
        done += flights.length;
        flights = store.claim({
          site: 1,
          priority: 1,
          limit: Math.min(profile.batch, profile.messages - done),
          bytesMax: 64e6,
          now,
          leaseUntil: now + LEASE_MS,
        });
      }),
    );
    for (const { message } of flights) store.body(message);
    return done < profile.messages && flights.length > 0;
  });
}

const { values } = parseArgs({
  options: {
    history: { type: "string", default: "2000000" },
    queued: { type: "string", default: "0" },
    messages: { type: "string", default: "100000" },
    batch: { type: "string", default: "32,64" },
  },
});
const sketch = { finished: Number(values.history), queued: Number(values.queued) };
const messages = Number(values.messages);
const root = mkdtempSync(join(tmpdir(), "postrider-writer-"));
const results: Figures[] = [];
try {
  const placed = performance.now();
  placeHistory(sketch, join(root, "data"));
  console.error(`history in ${Math.round(performance.now() - placed)} ms`);
  const opening = performance.now();
  const opened = openSqliteStore({ dataDir: join(root, "data"), random: systemRandom });
  if (opened.kind === "refused") throw new Error(opened.text);
  const { store } = opened;
  const openMs = round(performance.now() - opening);
  committed(store.transaction(() => store.siteId("example.com")));
  const report = (figures: Figures): void => {
    results.push(figures);
    console.error(JSON.stringify(figures));
  };
  steady(store, { name: "warm-up", messages: 6400, batch: 64 });
  for (const batch of values.batch.split(",").map(Number)) {
    report(steady(store, { name: "steady", messages, batch }));
    report(backlog(store, { name: "backlog", messages, batch }));
    report(drain(store, { name: "drain", messages, batch }));
  }
  const size = store.size();
  store.close();
  console.log(JSON.stringify({ ...sketch, openMs, size, results }, null, 2));
} finally {
  rmSync(root, { recursive: true, force: true });
}
