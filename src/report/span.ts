// A span as the rooms make it: plain data, which otlpEncode.ts turns into what the collectors read. Names of attributes are those of
// OpenTelemetry's semantic conventions where they have one; the rest begins with `smtp.` or `postrider.`.
import type { EpochMs } from "../base/clock.ts";

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface SpanEvent {
  readonly name: string;
  readonly at: EpochMs;
  readonly attributes: Attributes;
}

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Null: the trace begins here. */
  readonly parentId: string | null;
  /** The parent is the span of whoever called us. */
  readonly isRemoteParent: boolean;
  /** W3C `tracestate`; empty for none. */
  readonly state: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client";
  /** With fractions of a millisecond; the end is never before the start. */
  readonly startAt: EpochMs;
  readonly endAt: EpochMs;
  readonly attributes: Attributes;
  /** What went wrong, in a few words; null: nothing did. */
  readonly error: string | null;
  readonly events: readonly SpanEvent[];
}

/** Attributes of which some are not there. */
export function attributesOf(
  all: Readonly<Record<string, AttributeValue | null | undefined>>,
): Attributes {
  const there: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(all))
    if (value !== null && value !== undefined && value !== "") there[name] = value;
  return there;
}
