// What all spans of a message share: the trace, the first span, and how much is said of recipients. Ids follow from what a span is, so that an
// attempt of Tuesday belongs to the trace of Monday.
import { type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import { spanIdOf, traceIdOf, unpackTraceContext } from "../mail/traceContext.ts";
import type { Attributes, Span } from "./span.ts";

export interface SpanRules {
  readonly tag: HostTag;
  /** How recipients stand in spans: whoever reads traces need not know who gets mail. */
  readonly recipients: "domain" | "address";
}

/** All of a trace share these. */
export interface Root {
  readonly traceId: string;
  /** Of the message's own first span. */
  readonly spanId: string;
  readonly parentId: string | null;
  readonly state: string;
  readonly uuid: string;
}

export function rootOf(message: MessageId, trace: string | null, tag: HostTag): Root {
  const traceId = traceIdOf(message, tag, trace);
  const uuid = uuidOf(message, tag);
  const spanId = spanIdOf(traceId, `message ${uuid}`);
  if (trace === null) return { traceId, spanId, parentId: null, state: "", uuid };
  const { parentId, state } = unpackTraceContext(trace);
  return { traceId, spanId, parentId, state, uuid };
}

/** A span of the message's own, below its first. */
export function spanOf(
  root: Root,
  given: Pick<Span, "name" | "startAt" | "endAt"> &
    Partial<Span> & {
      /** What it is, by which others find it. */
      readonly what: string;
    },
): Span {
  const { what, ...span } = given;
  return {
    traceId: root.traceId,
    spanId: spanIdOf(root.traceId, `${what} ${root.uuid}`),
    parentId: root.spanId,
    isRemoteParent: false,
    state: root.state,
    kind: "internal",
    attributes: {},
    error: null,
    events: [],
    ...span,
    endAt: Math.max(span.startAt, span.endAt),
  };
}

export const priorityOf = (priority: number): string => `p${priority}`;

export function messageAttributes({ uuid }: Root): Attributes {
  return {
    "messaging.system": "postrider",
    "messaging.message.id": uuid,
  };
}

export function shown(address: string, { recipients }: SpanRules): string {
  return recipients === "address" ? address : domainOf(address);
}

const WORDS_MAX = 200;

/** Servers like to repeat the address: only its domain is left of it. */
export function veiled(text: string, { recipients }: SpanRules): string {
  const cut = text.slice(0, WORDS_MAX);
  return recipients === "address" ? cut : cut.replace(/[^\s<>"'(),;:=]+@/g, "***@");
}
