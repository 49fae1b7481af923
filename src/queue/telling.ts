// What became of recipients, for the log: once the commit stands, with the server's words. Bounces, ends of lifetimes, holds and doubts
// are told; deliveries and deferrals only to whoever asked for them, since all else would be a line a message.
import { iso } from "../base/clock.ts";
import type { Log, LogFields, LogGate } from "../base/log.ts";
import { type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import { traceIdOf } from "../mail/traceContext.ts";
import type { Report } from "./inbox.ts";
import type { RecipientState } from "./lifecycle.ts";

export interface Telling {
  /** `state`: that in which the recipient is now. */
  tell(report: Report, state: RecipientState): void;
  /** By the time that its sender set, while it waited. */
  expired(message: MessageId, recipient: string, text: string): void;
  suppressed(address: string, reason: string): void;
  /** What dead processes had in sending. */
  recovered(recipients: number): void;
}

export function createTelling(log: Log, logs: LogGate, tag: HostTag): Telling {
  const fieldsOf = ({ verdict, flight, place }: Report): LogFields => {
    const { message, trace, site } = flight;
    const step = unpackTimeline(verdict.step).find((one) => one.kind === "attempt");
    return {
      email_id: uuidOf(message, tag),
      recipient: flight.recipients[place]?.address,
      site: site.name,
      ...wordsOf(step),
      trace_id: traceIdOf(message, tag, trace),
      class: verdict.class,
    };
  };
  return {
    expired: (message, recipient, text) =>
      log("info", "mail.expired", { message, recipient, text }),
    suppressed: (address, reason) =>
      log("info", "suppress.added", { address, origin: "bounce", reason }),
    recovered: (recipients) => log("info", "queue.recovered", { recipients }),
    tell(report, state) {
      const { verdict } = report;
      if (verdict.doubt) log("warn", "mail.doubt", fieldsOf(report));
      switch (state.at) {
        case "bounced":
          return log("info", "mail.bounced", fieldsOf(report));
        case "expired":
          return log("info", "mail.expired", { ...fieldsOf(report), attempts: state.attempts });
        case "held":
          return log("warn", "mail.held", fieldsOf(report));
        case "delivered":
          if (logs("debug", "mail.delivered")) log("debug", "mail.delivered", fieldsOf(report));
          return;
        case "deferred": {
          if (!logs("debug", "mail.deferred") || verdict.kind !== "deferred") return;
          const next_attempt_at = iso(state.dueAt);
          const { attempts } = state;
          return log("debug", "mail.deferred", { ...fieldsOf(report), attempts, next_attempt_at });
        }
        default:
        // It was given back, or an operator was quicker: nothing was decided here.
      }
    },
  };
}

function wordsOf(step: AttemptStep | undefined): LogFields {
  if (step === undefined) return {};
  const { host, session, phase, code, enhanced, text } = step;
  return {
    ...{ host, session_id: session === "" ? undefined : session, phase },
    ...{ code: code === 0 ? undefined : code, enhanced: enhanced === "" ? undefined : enhanced },
    text,
  };
}
