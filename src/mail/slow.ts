// Why a destination is slow, in one word and one sentence: a pure function of what the queue, the senders and the reader know of it.
import type { EpochMs } from "../base/clock.ts";
import type { FailureView, SenderSiteView, SiteHealthView } from "./explain.ts";
import type { PhaseFigure } from "./figures.ts";
import type { PauseView, UplinkView } from "./query.ts";

/** What holds a site up; the first that applies is told. */
export const slowCauses = [
  "operator",
  "uplink",
  "port25",
  "scheduled",
  "no_route",
  "provider_pause",
  "greylist",
  "unreachable",
  "tls_broken",
  "backoff",
  "warmup",
  "connect_rate",
  "message_rate",
  "concurrency",
  "network_slow",
  "tls_slow",
  "server_slow",
  "limit",
  "deferred",
  "none",
] as const;
export type SlowCause = (typeof slowCauses)[number];

export interface SlowFacts {
  readonly site: string;
  readonly now: EpochMs;
  /** What an operator stopped of it. */
  readonly paused: Omit<PauseView, "name"> | null;
  readonly uplink: UplinkView;
  /** Recipients that wait in its line. */
  readonly waiting: number;
  /** Those of them that wait for their own time; null: too many to tell them apart. */
  readonly scheduled: number | null;
  readonly nextAttemptAt: string | null;
  readonly lastError: string | null;
  readonly health: SiteHealthView | null;
  /** Null: no sender has anything to do there. */
  readonly sender: SenderSiteView | null;
  /** Slowest first. */
  readonly phases: readonly PhaseFigure[];
}

export interface Slow {
  readonly cause: SlowCause;
  readonly text: string;
}

/** A reply that takes longer is what a person would call slow. */
const SLOW_MS = 1000;
/** A round trip that takes longer is felt in every command. */
const FAR_MS = 100;
/** Replies that take no more than so many round trips say that the way is long, and not that the server is slow. */
const TRIPS = 2.5;
const TEXT_MAX = 200;

export function whySlow(facts: SlowFacts): Slow {
  return (
    stopped(facts) ??
    ahead(facts) ??
    unrouted(facts) ??
    idle(facts) ??
    resting(facts) ??
    braked(facts) ??
    silent(facts) ??
    slowly(facts) ??
    full(facts) ??
    later(facts) ?? { cause: "none", text: "Nothing holds it up." }
  );
}

function stopped({ paused, uplink }: SlowFacts): Slow | undefined {
  if (paused !== null) {
    const what = paused.kind === "all" ? "everything" : `this ${paused.kind}`;
    return { cause: "operator", text: `An operator paused ${what} at ${when(paused.since)}.` };
  }
  const detail = uplink.detail === null ? "" : `: ${uplink.detail}`;
  if (uplink.state === "down")
    return { cause: "uplink", text: sentence(`Our own line is down${detail}`) };
  if (uplink.state === "port25_blocked")
    return { cause: "port25", text: sentence(`Nobody can be reached on port 25${detail}`) };
  return undefined;
}

/** All of it waits for the time that its senders named, which is nothing to look into. */
function ahead({ waiting, scheduled, nextAttemptAt, now }: SlowFacts): Slow | undefined {
  if (waiting === 0 || scheduled !== waiting) return undefined;
  if (nextAttemptAt === null || Date.parse(nextAttemptAt) <= now) return undefined;
  return {
    cause: "scheduled",
    text: `It is scheduled, the first of it for ${when(nextAttemptAt)}.`,
  };
}

/** It waits on no fault of ours or of theirs, or for nothing at all. */
export function isWell(cause: SlowCause): boolean {
  return cause === "none" || cause === "scheduled";
}

function unrouted({ site, waiting, lastError }: SlowFacts): Slow | undefined {
  if (site !== "" || waiting === 0) return undefined;
  // Of a long queue most has not been looked at: that is no fault of the DNS.
  const text =
    lastError === null
      ? "Where this mail goes is looked up when its turn comes."
      : `The DNS has not said yet where this mail goes. Last: ${cut(lastError)}`;
  return { cause: "no_route", text };
}

function idle({ waiting, health, sender }: SlowFacts): Slow | undefined {
  const busy = (health?.leased ?? 0) + (sender?.running ?? 0) + (sender?.waiting ?? 0);
  return waiting + busy > 0 ? undefined : { cause: "none", text: "Nothing waits for it." };
}

/** The site as a whole rests. */
function resting({ health, now }: SlowFacts): Slow | undefined {
  if (health === null) return undefined;
  const { paused_until: until, paused_by: by, last_failure: last, closed_until: closed } = health;
  if (until !== null && Date.parse(until) > now) {
    const said = last === null ? "" : ` ${lastWords(last)}`;
    if (by !== null && by !== "backoff") {
      const text = `It asked for a pause (${by}) until ${when(until)}.${said}`;
      return { cause: "provider_pause", text };
    }
    const [cause, what] = restOf(last);
    return { cause, text: `${what}: the next probe goes out at ${when(until)}.${said}` };
  }
  if (closed != null && Date.parse(closed) > now)
    return {
      cause: "warmup",
      text: `Each of our addresses has sent there what it may today, until ${when(closed)}.`,
    };
  return undefined;
}

function restOf(last: FailureView | null): readonly [SlowCause, string] {
  switch (last?.class) {
    case "greylist":
      return ["greylist", "It greylists us"];
    case "network":
      return last.phase === "connect"
        ? ["unreachable", "None of its addresses can be connected to"]
        : ["unreachable", `Its connections break (${last.phase})`];
    case "tls":
      return ["tls_broken", "No connection can be encrypted as it must be"];
    default:
      return ["backoff", "It rests after failures"];
  }
}

/** A backlog that goes as fast as rates, or what the site bears, let it. */
function braked({ sender }: SlowFacts): Slow | undefined {
  if (sender === null || sender.waiting === 0) return undefined;
  const { from, concurrency, running, ceiling, waiting } = sender;
  if (sender.message_wait_ms > 0)
    return {
      cause: "message_rate",
      text: `Messages a second are limited (${whose(from["messageRate"], "site_rate")}).`,
    };
  if (sender.connect_wait_ms > 0 && running < concurrency)
    return {
      cause: "connect_rate",
      text: `New connections are limited (${whose(from["connectRate"], "site_connect_rate")}).`,
    };
  const limit = limitOf(sender);
  if (running < concurrency || concurrency >= limit || ceiling === null) return undefined;
  const text = `It refuses more than ${count(concurrency, "connection")} at once, of ${limit} that it might have: ${count(waiting, "job")} wait.`;
  return { cause: "concurrency", text };
}

/** Nothing has been heard for a while: what has not been answered yet stands in no percentile. */
export function silent({ sender }: Pick<SlowFacts, "sender">): Slow | undefined {
  if (sender === null) return undefined;
  const { waits, opening, connections, waiting } = sender;
  if (waits != null && waits.ms >= SLOW_MS) {
    const text = `Its server is slow: ${named(waits.phase)} has been waited for ${time(waits.ms)}.`;
    return { cause: "server_slow", text };
  }
  if (opening === 0 || connections > 0 || waiting === 0) return undefined;
  return { cause: "network_slow", text: "Connections are being opened, and none stands yet." };
}

/** A server, or the way to it, that takes its time in each reply. */
export function slowly({ phases }: Pick<SlowFacts, "phases">): Slow | undefined {
  const [slowest] = phases;
  if (slowest === undefined) return undefined;
  const trip = phases.find(({ phase }) => phase === "connect");
  const commands = phases.filter(({ phase }) => phase !== "connect" && phase !== "tls");
  const usual = Math.max(0, ...commands.map(({ p50_ms }) => p50_ms));
  if (trip !== undefined && trip.p50_ms >= FAR_MS && usual <= trip.p50_ms * TRIPS)
    return {
      cause: "network_slow",
      text: `The way there is long: a round trip takes ${time(trip.p50_ms)}.`,
    };
  if (slowest.p95_ms < SLOW_MS) return undefined;
  const took = `${time(slowest.p50_ms)}, and up to ${time(slowest.p95_ms)} for 19 of 20`;
  if (slowest.phase === "connect")
    return { cause: "network_slow", text: `Connecting takes ${took}.` };
  if (slowest.phase === "tls") return { cause: "tls_slow", text: `TLS handshakes take ${took}.` };
  return {
    cause: "server_slow",
    text: `Its server is slow: ${named(slowest.phase)} takes ${took}.`,
  };
}

/** It has all that it may, and more waits. */
function full({ sender }: SlowFacts): Slow | undefined {
  if (sender === null || sender.waiting === 0 || sender.running < sender.concurrency)
    return undefined;
  const { running, waiting, concurrency, from } = sender;
  const limit = limitOf(sender);
  const more =
    concurrency < limit
      ? `more are opened as it proves to bear them, up to ${limit}`
      : whose(from["connections"], "site_connections");
  const text = `${count(running, "connection")} work and ${count(waiting, "job")} wait: ${more}.`;
  return { cause: "limit", text };
}

/** Nothing of it is due: single recipients wait for their next attempts. */
export function later({
  waiting,
  nextAttemptAt,
  now,
  lastError,
}: Pick<SlowFacts, "waiting" | "nextAttemptAt" | "now" | "lastError">): Slow | undefined {
  if (waiting === 0 || nextAttemptAt === null || Date.parse(nextAttemptAt) <= now) return undefined;
  const said = lastError === null ? "" : ` Last: ${cut(lastError)}`;
  const isGrey = lastError !== null && /gr[ae]y-?list/i.test(lastError);
  return isGrey
    ? {
        cause: "greylist",
        text: `It greylists us; the next attempt is due at ${when(nextAttemptAt)}.${said}`,
      }
    : {
        cause: "deferred",
        text: `What waits is not due before ${when(nextAttemptAt)}.${said}`,
      };
}

/** The most connections that it may ever have. */
export function limitOf({ limits, concurrency }: SenderSiteView): number {
  const limit = limits["connections"];
  return typeof limit === "number" ? limit : concurrency;
}

function whose(from: string | undefined, setting: string): string {
  if (from === "own") return "the table [sites] says so";
  return from === "shipped" ? "the shipped table of providers says so" : `the setting ${setting}`;
}

/** Without a code nobody said anything: the words are ours. */
export function lastWords({ code, text }: FailureView): string {
  return code === 0 ? `Last: ${cut(text)}` : `It said: ${cut(`${code} ${text}`)}`;
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX).toWellFormed()}…` : text;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function named(phase: string): string {
  const words: Readonly<Record<string, string>> = {
    greeting: "its greeting",
    dot: "taking the message (the dot)",
  };
  return words[phase] ?? phase.toUpperCase();
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function time(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}

/** To the second: the exact instant stands beside it in the answer. */
function when(instant: string): string {
  return `${instant.slice(0, 19).replace("T", " ")} UTC`;
}
