// A webhook belongs to the trace of the message that it tells of: its request says so in `traceparent`, by which the receiver's own spans
// go on, and where the trace is kept the delivery is a span of it.
import { type HostTag, idOf } from "../mail/id.ts";
import { spanIdOf, writeTraceparent } from "../mail/traceContext.ts";
import type { HookAttempt, WebhookRecord } from "../mail/webhook.ts";
import { parseTarget } from "../web/target.ts";
import { isSampled, type Sampling } from "./sampling.ts";
import { attributesOf, type Span } from "./span.ts";
import { type Root, rootOf, spanOf } from "./spanRoot.ts";

/** One delivery, as its trace sees it. */
export interface HookDelivery {
  readonly event: number;
  readonly type: string;
  readonly email: string;
  /** What the message's request carried of a trace, packed; null for none. */
  readonly trace: string | null;
  /** Since it was begun. */
  readonly tries: number;
}

export interface HookTrace {
  readonly headers: Readonly<Record<string, string>>;
  ended(attempt: HookAttempt): void;
}

export interface HookTracing {
  /** Null: it is about no message of this host. */
  begin(delivery: HookDelivery, webhook: WebhookRecord): HookTrace | null;
}

export interface HookTracingDeps {
  readonly tag: HostTag;
  /** Null: no trace leaves this host. */
  sampling(): Sampling | null;
  add(spans: readonly Span[]): void;
}

/** Whose traces are kept whatever the share. */
const TROUBLE: ReadonlySet<string> = new Set([
  "email.delivery_delayed",
  "email.bounced",
  "email.failed",
]);

export function createHookTracing({ tag, sampling, add }: HookTracingDeps): HookTracing {
  return {
    begin(delivery, webhook) {
      const { email, trace, type, tries } = delivery;
      const message = idOf(email, tag);
      if (message === undefined) return null;
      const rules = sampling();
      const root = rootOf(message, trace, tag);
      const what = `webhook ${webhook.number} ${delivery.event} ${tries}`;
      const parentId = spanIdOf(root.traceId, `${what} ${root.uuid}`);
      const isKept =
        rules !== null &&
        (tries > 0 || TROUBLE.has(type) || isSampled(message, trace, rules.share));
      const context = { traceId: root.traceId, parentId, sampled: isKept, random: false };
      return {
        headers: {
          traceparent: writeTraceparent(context),
          ...(root.state === "" ? {} : { tracestate: root.state }),
        },
        ended(attempt) {
          if (rules === null) return;
          const failed = attempt.status < 200 || attempt.status > 299;
          if (isKept || failed || attempt.durationMs >= rules.slowMs)
            add([hookSpan({ root, what, delivery, webhook, attempt, failed })]);
        },
      };
    },
  };
}

interface Delivered {
  readonly root: Root;
  readonly what: string;
  readonly delivery: HookDelivery;
  readonly webhook: WebhookRecord;
  readonly attempt: HookAttempt;
  readonly failed: boolean;
}

/** Of the endpoint only where it is: its path may be its password. */
function hookSpan({ root, what, delivery, webhook, attempt, failed }: Delivered): Span {
  const { at, status, durationMs, text } = attempt;
  const parsed = parseTarget(webhook.endpoint);
  const target = parsed.kind === "parsed" ? parsed.target : undefined;
  return spanOf(root, {
    ...{ what, name: "webhook", kind: "client", startAt: at, endAt: at + durationMs },
    attributes: attributesOf({
      "http.request.method": "POST",
      "http.response.status_code": status === 0 ? null : status,
      "http.request.resend_count": delivery.tries === 0 ? null : delivery.tries,
      "server.address": target?.host,
      "server.port": target?.port,
      "error.type": failed ? (status === 0 ? "no_reply" : String(status)) : null,
      "messaging.message.id": root.uuid,
      "postrider.webhook.id": webhook.id,
      "postrider.event.id": delivery.event,
      "postrider.event.type": delivery.type,
    }),
    error: failed ? (status === 0 ? text : `The receiver answered ${status}`) : null,
  });
}
