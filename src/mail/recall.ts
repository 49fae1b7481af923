// What the queue wants back from a sender. Jobs that wait there come back untried; with `cut` a running session ends too, unless the
// final dot of its message has been sent.
import type { MessageId } from "./id.ts";
import { domainOf } from "./message.ts";
import type { Job } from "./job.ts";

export type Recall = (
  | { readonly by: "message"; readonly message: MessageId }
  | { readonly by: "domain"; readonly name: string }
  | { readonly by: "site"; readonly name: string }
  | { readonly by: "all" }
) & { readonly cut: boolean };

/** Recipients of a recalled message whose final dot has been sent: they cannot be given back. */
export interface Late {
  readonly message: MessageId;
  readonly places: readonly number[];
}

/** A job of which one recipient is meant goes back as a whole: the others come again at once. */
export function isRecalled(recall: Recall, { message, site, recipients }: Job): boolean {
  switch (recall.by) {
    case "all":
      return true;
    case "message":
      return message === recall.message;
    case "site":
      return site === recall.name;
    default:
      return recipients.some(({ address }) => domainOf(address) === recall.name);
  }
}
