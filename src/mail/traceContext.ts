// Which trace a message belongs to (W3C Trace Context). Its own id without dashes is a trace id already, so it costs no storage; a request
// that carries a `traceparent` is continued instead, and only that is stored. Span ids are made of what a span is, not drawn, so that spans
// that different threads make at different times find each other without a word between them.
import { type HostTag, type MessageId, uuidOf } from "./id.ts";

export interface TraceContext {
  /** 32 hex digits, lower-case, never all zero. */
  readonly traceId: string;
  /** The span of whoever called us: 16 hex digits, never all zero. */
  readonly parentId: string;
  readonly sampled: boolean;
  /** The trace id's last 7 octets are random (level 2), which those behind us may rely on. */
  readonly random: boolean;
  /** What the systems on the way have noted, to be passed on as it is; empty for nothing. */
  readonly state: string;
}

const SAMPLED = 0x01;
const RANDOM = 0x02;
/** Of version 00, and the part of any later one that this code understands. */
const PARENT_CHARACTERS = 55;
/** What a vendor may at least count on (W3C Trace Context 3.3.1.5); more is not passed on. */
const STATE_MAX = 512;

const parentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?$/;
const stateForm = /^[\x20-\x7e\t]+$/;
const nothing = /^0+$/;

/** Undefined when it is not as the standard has it: then it is as if it were not there. */
export function readTraceContext(
  traceparent: string,
  tracestate: string | null = null,
): TraceContext | undefined {
  const match = parentForm.exec(traceparent);
  if (match === null) return undefined;
  const [, version, traceId, parentId, flags, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string | undefined,
  ];
  // Later versions may only add to what is known (3.2.4), and ff is none.
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (nothing.test(traceId) || nothing.test(parentId)) return undefined;
  const bits = parseInt(flags, 16);
  return {
    traceId,
    parentId,
    sampled: (bits & SAMPLED) !== 0,
    random: (bits & RANDOM) !== 0,
    state: stateOf(tracestate),
  };
}

function stateOf(tracestate: string | null): string {
  if (tracestate === null || tracestate.length > STATE_MAX) return "";
  return stateForm.test(tracestate) ? tracestate.trim() : "";
}

/** A `traceparent` of version 00: bits that are not known must not be passed on (3.2.2.5). */
export function writeTraceparent(
  context: Pick<TraceContext, "traceId" | "parentId" | "sampled" | "random">,
): string {
  const flags = (context.sampled ? SAMPLED : 0) | (context.random ? RANDOM : 0);
  return `00-${context.traceId}-${context.parentId}-0${flags}`;
}

/** As it is kept with a message: the `traceparent`, and behind a space the `tracestate` if there is one. */
export function packTraceContext(context: TraceContext): string {
  const parent = writeTraceparent(context);
  return context.state === "" ? parent : `${parent} ${context.state}`;
}

/** What was packed by us is not doubted. */
export function unpackTraceContext(packed: string): TraceContext {
  const parent = packed.slice(0, PARENT_CHARACTERS);
  const context = readTraceContext(parent, packed.slice(PARENT_CHARACTERS + 1));
  if (context === undefined) throw new Error(`a stored trace context is broken: ${packed}`);
  return context;
}

/** `trace`: what was stored of the context that its request carried; null for none. */
export function traceIdOf(message: MessageId, tag: HostTag, trace?: string | null): string {
  return trace == null ? uuidOf(message, tag).replaceAll("-", "") : trace.slice(3, 35);
}

/** The message's UUID of a trace id that is one; undefined: it is somebody else's. */
export function uuidOfTrace(traceId: string): string | undefined {
  const match = /^([0-9a-f]{8})([0-9a-f]{4})(7[0-9a-f]{3})([89ab][0-9a-f]{3})([0-9a-f]{12})$/.exec(
    traceId.toLowerCase(),
  );
  return match === null ? undefined : match.slice(1).join("-");
}

/** Of a trace with many spans, each has a name of its own; the same name is the same span. Nobody gains by finding two that share an id. */
export function spanIdOf(traceId: string, name: string): string {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (const text of [traceId, name])
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit, 0x85ebca6b) ^ (high >>> 13);
    }
  const id = mixed(high).toString(16).padStart(8, "0") + mixed(low).toString(16).padStart(8, "0");
  return nothing.test(id) ? "0000000000000001" : id;
}

/** MurmurHash3's finalizer: names that differ in their last digit get ids that differ throughout. */
function mixed(bits: number): number {
  let mix = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}
