// `postrider stress`: puts the load, the books, those who follow and the daemon of its own together, and makes the report of it.
import { type Clock, iso, pause, systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { createDaemonClient, type DaemonClient, type Target } from "../../commands/daemonClient.ts";
import type { StressEnd } from "../../commands/deps.ts";
import { exitCodes } from "../../commands/exitCodes.ts";
import type { StressRequest } from "../../commands/stressRequest.ts";
import { type Book, createBook } from "../../stress/book.ts";
import { startLoad } from "../../stress/load.ts";
import { type Addresses, createAddresses, newTag, parseMix } from "../../stress/mix.ts";
import { createRequests } from "../../stress/request.ts";
import { createDial } from "../../stress/socket.ts";
import {
  daemonFigures,
  ownQueue,
  ownQueueAtRest,
  type QueueSums,
  queuedOf,
  readDaemon,
  without,
} from "./figures.ts";
import { followStream, followTrouble, type Following, lastEventId } from "./follow.ts";
import { openHouse, type StressHouse } from "./house.ts";
import { placeOf } from "./place.ts";
import { warmUp } from "./warmUp.ts";
import { listenForStops, type Stops, type StressIo, watchOver } from "./watch.ts";
import { type Findings, type Left, reportOf } from "./findings.ts";

const LOOK_EVERY_MS = 50;
const SINK_DOMAIN = "postrider.test";

export async function runStress(request: StressRequest, io: StressIo): Promise<StressEnd> {
  const mix = parseMix(request.recipients);
  if (typeof mix === "string") return failed(exitCodes.usage, `--recipients: ${mix}`);
  const stops = listenForStops(io);
  const addresses = createAddresses(mix, request.domain, newTag(systemRandom));
  if (request.target !== null)
    return underLoad({ request, io, stops, addresses, target: request.target, house: null });
  const opening = await openHouse(request.folder, io.path);
  if (opening.kind === "failed") return failed(exitCodes.failed, opening.text);
  const { house } = opening;
  try {
    const target: Target = { kind: "url", url: house.url, key: house.key };
    return await underLoad({ request, io, stops, addresses, target, house });
  } finally {
    await house.stop();
  }
}

function failed(code: number, text: string): StressEnd {
  return { kind: "failed", code, text };
}

interface Run {
  readonly request: StressRequest;
  readonly io: StressIo;
  readonly stops: Stops;
  readonly addresses: Addresses;
  readonly target: Target;
  /** Null: the daemon is somebody else's. */
  readonly house: StressHouse | null;
}

async function underLoad(run: Run): Promise<StressEnd> {
  const { request, target, addresses, house } = run;
  const clock = systemClock;
  const client = createDaemonClient(target, clock);
  const place = placeOf(target);
  if (place === undefined)
    return failed(exitCodes.unreachable, "no daemon listens at the socket of its data folder");
  const dial = createDial(place.at);
  const idle = await warmUp({ ...run, client, dial, place });
  const book = createBook();
  const followed = await follow(run, client, book);
  if (followed.kind === "failed") return followed;
  const before = await readDaemon(client);
  const startedAtMs = clock.monotonicMs();
  const usedBefore = process.cpuUsage();
  const load = startLoad(request, {
    clock,
    dial,
    writer: createRequests({ ...request, addresses, ...place }),
    book,
  });
  const { progress } = run.io;
  const died = house?.died ?? null;
  const watch = watchOver({ progress, stops: run.stops, died, load, book });
  const figures = await load.done;
  const { user, system } = process.cpuUsage(usedBefore);
  const drainedFromMs = clock.monotonicMs();
  const own = house === null || !takenBySink(run) ? null : client;
  if (request.follow && watch.deadWords() === "") await drain(run, book, own, watch.hurried);
  await followed.following?.stop();
  const endedAtMs = clock.monotonicMs();
  const isAway = watch.deadWords() !== "" || figures.endedBy === "unreachable";
  const left = isAway || !request.follow ? null : await whatIsLeft(run, client, book, idle);
  const after = isAway ? null : await readLater(client, watch.hurried);
  watch.stop();
  const counts = book.counts();
  const findings: Findings = {
    request,
    book,
    figures,
    left,
    isAway,
    deadWords: watch.deadWords(),
    mix: addresses.mix,
    notes: house?.notes ?? [],
    drainMs: endedAtMs - drainedFromMs,
    generatorShare: (user + system) / 1000 / Math.max(1, drainedFromMs - startedAtMs),
    daemon: daemonFigures(before, after, {
      elapsedMs: endedAtMs - startedAtMs,
      messages: counts.accepted,
      pid: house?.daemonPid ?? null,
    }),
  };
  return { kind: "report", report: reportOf(findings) };
}

/** The sink of its own takes everything but what the daemon's built-in one does. */
function takenBySink({ house, request }: Run): boolean {
  return house !== null && request.domain !== SINK_DOMAIN;
}

type Followed = { readonly kind: "following"; readonly following: Following | null };

async function follow(
  run: Run,
  client: DaemonClient,
  book: Book,
): Promise<Followed | Extract<StressEnd, { kind: "failed" }>> {
  const { request, addresses, house } = run;
  const after = request.follow ? await lastEventId(client) : 0;
  if (typeof after !== "number") {
    const hint = after.code === exitCodes.noPermission ? " (--no-follow does without them)" : "";
    return { kind: "failed", code: after.code, text: `${after.text}${hint}` };
  }
  if (!request.follow) return { kind: "following", following: null };
  const parts = { client, clock: systemClock, book, addresses, domain: request.domain, after };
  if (house === null || !takenBySink(run))
    return { kind: "following", following: followStream(parts) };
  house.onTaken((recipient, at) => {
    const n = addresses.numberIn(recipient);
    if (n !== undefined) book.delivered(n, at);
  });
  return { kind: "following", following: followTrouble(parts) };
}

/** `own`: a daemon that has nothing else to do, and whose queue must have heard of each delivery as well. */
async function drain(
  { request }: Run,
  book: Book,
  own: DaemonClient | null,
  hurried: Promise<void>,
  clock: Clock = systemClock,
): Promise<void> {
  const untilMs = clock.monotonicMs() + request.drainMs;
  const untilAt = clock.now() + request.drainMs;
  let isHurried = false;
  void hurried.then(() => (isHurried = true));
  while (!isHurried && clock.monotonicMs() < untilMs) {
    if (book.isQuietUntil(untilAt)) {
      if (own === null || (await ownQueue(own))?.busy === 0) return;
    }
    await pause(clock, LOOK_EVERY_MS);
  }
}

/** Threads tell their figures once a second. */
const FIGURES_EVERY_MS = 1_100;

async function readLater(
  client: DaemonClient,
  hurried: Promise<void>,
  clock: Clock = systemClock,
): Promise<Awaited<ReturnType<typeof readDaemon>>> {
  const told = pause(clock, FIGURES_EVERY_MS);
  await Promise.race([told, hurried]);
  return readDaemon(client);
}

/** `idle`: what a daemon of its own had done before. */
async function whatIsLeft(
  run: Run,
  client: DaemonClient,
  book: Book,
  idle: QueueSums | null,
): Promise<Left> {
  const { request, addresses } = run;
  if (run.house !== null) {
    const all = await ownQueueAtRest(client);
    return all === null || idle === null ? all : without(all, idle);
  }
  if (book.unfinished() === 0) return 0;
  const since = iso(book.firstAcceptedAt() ?? 0);
  return queuedOf(client, { domain: request.domain, since, addresses });
}
