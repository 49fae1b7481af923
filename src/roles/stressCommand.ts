// `postrider stress`: puts the load, the books, those who follow and the daemon of its own together, and makes the report of it.
import { accessSync } from "node:fs";
import { type Clock, iso, systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { createDaemonClient, type DaemonClient, type Target } from "../commands/daemonClient.ts";
import { exitCodes } from "../commands/exitCodes.ts";
import type { StressEnd } from "../commands/deps.ts";
import type { StressRequest } from "../commands/stressRequest.ts";
import { type Book, createBook } from "../stress/book.ts";
import { type Load, startLoad } from "../stress/load.ts";
import { type Addresses, createAddresses, parseMix } from "../stress/mix.ts";
import { createRequests } from "../stress/request.ts";
import { createDial, type Place } from "../stress/socket.ts";
import { daemonFigures, ownQueue, queuedOf, readDaemon } from "./stressFigures.ts";
import { followStream, followTrouble, type Following, lastEventId } from "./stressFollow.ts";
import { openHouse, type StressHouse } from "./stressHouse.ts";
import { type Findings, type Left, reportOf } from "./stressFindings.ts";

export interface StressIo {
  /** PATH, for the processes of its own. */
  readonly path: string;
  /** The line that shows how it goes; null: nobody watches a terminal. */
  readonly progress: ((line: string) => void) | null;
  /** Resolves at the next signal to end. */
  untilStopped(): Promise<void>;
}

const TAG_CHARS = 6;
const PROGRESS_EVERY_MS = 250;
const LOOK_EVERY_MS = 50;
const SINK_DOMAIN = "postrider.test";

export async function runStress(request: StressRequest, io: StressIo): Promise<StressEnd> {
  const mix = parseMix(request.recipients);
  if (typeof mix === "string") return failed(exitCodes.usage, `--recipients: ${mix}`);
  const stops = listenForStops(io);
  const addresses = createAddresses(mix, request.domain, tagOf());
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

/** Runs of the same daemon tell their messages apart by it. */
function tagOf(): string {
  return Array.from({ length: TAG_CHARS }, () =>
    Math.floor(systemRandom.roll() * 36).toString(36),
  ).join("");
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
  const book = createBook();
  const followed = await follow(run, client, book);
  if (followed.kind === "failed") return followed;
  const before = await readDaemon(client);
  const startedAtMs = clock.monotonicMs();
  const usedBefore = process.cpuUsage();
  const load = startLoad(request, {
    clock,
    dial: createDial(place.at),
    writer: createRequests({ ...request, addresses, ...place }),
    book,
  });
  const watch = watchOver(run, load, book);
  const figures = await load.done;
  const { user, system } = process.cpuUsage(usedBefore);
  const drainedFromMs = clock.monotonicMs();
  const own = house === null || !takenBySink(run) ? null : client;
  if (request.follow && watch.deadWords() === "") await drain(run, book, own, watch.hurried);
  await followed.following?.stop();
  const endedAtMs = clock.monotonicMs();
  const isAway = watch.deadWords() !== "" || figures.endedBy === "unreachable";
  const left = isAway || !request.follow ? null : await whatIsLeft(run, client, book);
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

/** Signals to end from now on, the first of which ends the load, and the second the waiting for what it left. */
interface Stops {
  /** Told of the first and the second; at once of what was before. */
  each(hear: (count: number) => void): void;
}

function listenForStops(io: StressIo): Stops {
  let count = 0;
  let tell = (_count: number): void => {};
  void (async () => {
    // Whoever presses it a third time waits for the report already.
    for (;;) {
      await io.untilStopped();
      tell(++count);
    }
  })();
  return {
    each(hear) {
      tell = hear;
      for (let before = 1; before <= count; before++) hear(before);
    },
  };
}

interface Watch {
  /** Resolves when there is no more time for anything. */
  readonly hurried: Promise<void>;
  /** Of the process that ended by itself; empty while all live. */
  deadWords(): string;
  stop(): void;
}

function watchOver({ io, stops, house }: Run, load: Load, book: Book): Watch {
  const hurried = Promise.withResolvers<void>();
  let words = "";
  let isOver = false;
  stops.each((count) => {
    load.stop("stopped");
    if (count > 1) hurried.resolve();
  });
  void house?.died.then((said) => {
    if (isOver) return;
    words = said;
    load.stop("unreachable");
    load.stop("unreachable");
    hurried.resolve();
  });
  const show = startProgress(io, book);
  return {
    hurried: hurried.promise,
    deadWords: () => words,
    stop() {
      isOver = true;
      show.stop();
    },
  };
}

function startProgress({ progress }: StressIo, book: Book): { stop(): void } {
  if (progress === null) return { stop: () => {} };
  const clock = systemClock;
  const startedAtMs = clock.monotonicMs();
  let before = { atMs: startedAtMs, accepted: 0, delivered: 0 };
  const show = (): void => {
    const { accepted, delivered, failed, deferred, refused, unanswered, unsent } = book.counts();
    const atMs = clock.monotonicMs();
    const rate = (now: number, then: number): string =>
      Math.round(((now - then) * 1000) / (atMs - before.atMs)).toString();
    const parts = [
      `${((atMs - startedAtMs) / 1000).toFixed(1)} s`,
      `accepted ${accepted} (${rate(accepted, before.accepted)}/s)`,
      `delivered ${delivered} (${rate(delivered, before.delivered)}/s)`,
      `deferred ${deferred}`,
      `failed ${failed + refused + unanswered + unsent}`,
    ];
    progress(parts.join("  "));
    before = { atMs, accepted, delivered };
    timer = clock.after(PROGRESS_EVERY_MS, show);
  };
  let timer = clock.after(PROGRESS_EVERY_MS, show);
  return {
    stop() {
      timer.cancel();
      progress("");
    },
  };
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
    await new Promise<void>((resolve) => clock.after(LOOK_EVERY_MS, resolve));
  }
}

/** Threads tell their figures once a second. */
const FIGURES_EVERY_MS = 1_100;

async function readLater(
  client: DaemonClient,
  hurried: Promise<void>,
  clock: Clock = systemClock,
): Promise<Awaited<ReturnType<typeof readDaemon>>> {
  const told = new Promise<void>((resolve) => clock.after(FIGURES_EVERY_MS, resolve));
  await Promise.race([told, hurried]);
  return readDaemon(client);
}

async function whatIsLeft(run: Run, client: DaemonClient, book: Book): Promise<Left> {
  const { request, addresses } = run;
  if (run.house !== null) return ownQueue(client);
  if (book.unfinished() === 0) return 0;
  const since = iso(book.firstAcceptedAt() ?? 0);
  return queuedOf(client, { domain: request.domain, since, addresses });
}

interface At {
  readonly at: Place;
  readonly host: string;
  readonly path: string;
  readonly key: string;
}

/** Undefined: no such socket. */
function placeOf(target: Target): At | undefined {
  if (target.kind === "socket") {
    const path = target.paths.find(isThere);
    if (path === undefined) return undefined;
    return { at: { kind: "socket", path }, host: "postrider", path: "/send", key: "" };
  }
  const url = new URL(target.url);
  const kind = url.protocol === "https:" ? "tls" : "tcp";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (kind === "tls" ? 443 : 80) : Number(url.port);
  const path = `${url.pathname.replace(/\/+$/, "")}/send`;
  return { at: { kind, host, port }, host: url.host, path, key: target.key };
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
