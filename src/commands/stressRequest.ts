// What `postrider stress` is asked for, and its limits: a load that was mistyped must neither fill a disk nor go on all night.
import { domainToASCII } from "node:url";
import { parseDurationMs, parseSizeBytes, showDuration, showSize } from "../config/kinds.ts";
import { parseAddress } from "../mail/address.ts";
import type { Target } from "./daemonClient.ts";
import { misused, notAllowed } from "./failure.ts";
import type { TargetOptions } from "./target.ts";

export interface StressOptions extends TargetOptions {
  readonly concurrency?: string;
  readonly duration?: string;
  readonly count?: string;
  readonly domain?: string;
  readonly from?: string;
  readonly recipients: string;
  readonly rate?: string;
  readonly size: string;
  readonly priority: string;
  readonly drain: string;
  readonly warmUp?: string;
  readonly follow: boolean;
  readonly folder?: string;
  readonly sendForReal?: boolean;
  readonly json?: boolean;
}

export interface StressRequest {
  /** Null: a daemon and a sink of its own. */
  readonly target: Target | null;
  /** Where the data folder of its own daemon is made; null: where temporary files are. */
  readonly folder: string | null;
  readonly domain: string;
  readonly from: string;
  /** `NAME:SHARE,...`, as written. */
  readonly recipients: string;
  readonly pace:
    | { readonly kind: "closed"; readonly clients: number }
    | { readonly kind: "open"; readonly perSecond: number; readonly connectionsMax: number };
  readonly countMax: number;
  readonly durationMs: number;
  /** The same load before it, which is in no figure; 0: none. */
  readonly warmUpMs: number;
  readonly bodyBytes: number;
  readonly priority: "p0" | "p1" | "p2";
  /** Whether the events are followed to each message's end. */
  readonly follow: boolean;
  /** How long the end of what was accepted is waited for. */
  readonly drainMs: number;
}

export const stressLimits = {
  concurrency: 1000,
  perSecond: 50_000,
  count: 2_000_000,
  durationMs: 3_600_000,
  drainMs: 600_000,
  warmUpMs: 300_000,
  bodyBytes: 25_000_000,
  /** What all connections may hold of bodies at one time. */
  inFlightBytes: 500_000_000,
} as const;

const CLIENTS = 50;
const OPEN_CONNECTIONS = 500;
const DURATION_MS = 60_000;
const MS_MIN = 100;
/** Senders have relays of their own by their domain, and this one has none. */
const FROM = "stress@postrider.test";

export type Wish = Omit<StressRequest, "target">;

export function readWish(options: StressOptions, isOwn: boolean): Wish {
  const { count, duration, rate } = options;
  const bodyBytes = sizeOf("--size", options.size);
  const pace = paceOf(options, rate);
  const clients = pace.kind === "closed" ? pace.clients : pace.connectionsMax;
  if (clients * bodyBytes > stressLimits.inFlightBytes)
    throw misused(
      `--size ${options.size} on ${clients} connections: at most ${showSize(stressLimits.inFlightBytes)} at one time`,
    );
  // A count alone takes as long as it takes, within the limit.
  const unsaidMs = count === undefined ? DURATION_MS : stressLimits.durationMs;
  return {
    folder: options.folder ?? null,
    domain: domainOf(options.domain ?? (isOwn ? "example.com" : "postrider.test")),
    from: fromOf(options.from ?? FROM),
    recipients: options.recipients,
    pace,
    countMax: whole("--count", count, stressLimits.count) ?? stressLimits.count,
    durationMs: span("--duration", duration, stressLimits.durationMs) ?? unsaidMs,
    warmUpMs: span("--warm-up", options.warmUp, stressLimits.warmUpMs) ?? 0,
    bodyBytes,
    priority: priorityOf(options.priority),
    follow: options.follow,
    drainMs: span("--drain", options.drain, stressLimits.drainMs) ?? 0,
  };
}

function paceOf({ concurrency }: StressOptions, rate: string | undefined): StressRequest["pace"] {
  const clients = whole("--concurrency", concurrency, stressLimits.concurrency);
  const perSecond = whole("--rate", rate, stressLimits.perSecond);
  if (perSecond === undefined) return { kind: "closed", clients: clients ?? CLIENTS };
  return { kind: "open", perSecond, connectionsMax: clients ?? OPEN_CONNECTIONS };
}

function whole(option: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= max) return value;
  throw notAllowed(option, text, `a whole number from 1 to ${max}`);
}

function span(option: string, text: string | undefined, maxMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms >= MS_MIN && ms <= maxMs) return ms;
  throw notAllowed(option, text, `from ${showDuration(MS_MIN)} to ${showDuration(maxMs)}`);
}

/** `5k` as well: as it is said of mail. */
function sizeOf(option: string, text: string): number {
  const bytes = parseSizeBytes(/[km]$/i.test(text) ? `${text}b` : text);
  if (bytes !== undefined && bytes >= 1 && bytes <= stressLimits.bodyBytes) return bytes;
  throw notAllowed(
    option,
    text,
    `a size such as 5k or 1MB, at most ${showSize(stressLimits.bodyBytes)}`,
  );
}

function domainOf(text: string): string {
  const domain = domainToASCII(text.toLowerCase()).replace(/\.$/, "");
  // The same names that an address may have, since one is made of it.
  if (domain !== "" && parseAddress(`a@${domain}`).kind === "ok") return domain;
  throw notAllowed("--domain", text, "a domain name");
}

function fromOf(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text) && parseAddress(text).kind === "ok") return text;
  throw notAllowed("--from", text, "an address such as stress@example.com");
}

function priorityOf(text: string): StressRequest["priority"] {
  if (text === "p0" || text === "p1" || text === "p2") return text;
  throw notAllowed("--priority", text, "p0, p1, p2");
}
