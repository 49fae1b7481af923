// What a counter says of mail, for whoever tells it in words: figures, and the journal's line of traffic.
import type { Sample } from "../base/meter.ts";

export type Outcome =
  "accepted" | "refused" | "delivered" | "deferred" | "bounced" | "expired" | "doubtful";

/** Undefined: it counts something else. */
export function outcomeOf({ name, labels }: Pick<Sample, "name" | "labels">): Outcome | undefined {
  const { result } = labels;
  switch (name) {
    case "postrider_messages_accepted_total":
      return "accepted";
    case "postrider_rejected_total":
      return "refused";
    case "postrider_doubts_total":
      return "doubtful";
    case "postrider_attempts_total":
      return result === "deferred" ? result : undefined;
    case "postrider_recipients_total":
      return result === "delivered" || result === "bounced" || result === "expired"
        ? result
        : undefined;
    default:
      return undefined;
  }
}
