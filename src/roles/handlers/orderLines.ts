// What an operator did, for the log: of all that can explain why mail stands still it is asked for first.
import type { Log } from "../../base/log.ts";
import type { CommandAnswer, QueueVerb, SuppressCommand, Which } from "../../mail/command.ts";
import { type HostTag, uuidOf } from "../../mail/id.ts";
import type { SuppressionView } from "../../mail/suppression.ts";

export function tellOrder(verb: QueueVerb, answer: CommandAnswer, log: Log, tag: HostTag): void {
  const done = answer.kind === "done" ? answer.value : null;
  if (verb.do === "suppress.add" || verb.do === "suppress.remove") {
    const event = verb.do === "suppress.add" ? "suppress.added" : "suppress.removed";
    // What stood already, or was not there, has not changed.
    for (const row of (done ?? []) as readonly (Row | null)[])
      if (row !== null && row.added !== false)
        log("info", event, { address: row.email, origin: row.origin, reason: row.reason });
    return;
  }
  if (verb.do === "suppress.report") {
    const origin = verb.report === "bounced" ? "bounce" : "complaint";
    const email_id = uuidOf(verb.message, tag);
    if ((done as { readonly suppressed?: boolean } | null)?.suppressed === true)
      log("info", "suppress.added", { email_id, origin, reason: verb.text });
    return;
  }
  const { by, name } = nameOf(verb, tag);
  const word = verb.do.slice("queue.".length);
  // Programs cancel and retry single messages all day; what concerns a domain, a site or everything is a person's doing.
  if (by === "message")
    return log("info", "mail.order", { verb: word, email_id: name, answer: answer.kind });
  log("info", "queue.order", { verb: word, by, name, answer: answer.kind });
}

type Row = Pick<SuppressionView, "email" | "origin"> & {
  readonly added?: boolean;
  readonly reason?: string | null;
};

type Ordered = Exclude<QueueVerb, SuppressCommand>;

function nameOf(verb: Ordered, tag: HostTag): { readonly by: string; readonly name: string } {
  if ("message" in verb) return { by: "message", name: uuidOf(verb.message, tag) };
  const span: Which = "span" in verb ? verb.span : verb.which;
  if (span.by === "message") return { by: "message", name: uuidOf(span.message, tag) };
  return { by: span.by, name: span.by === "all" ? "" : span.name };
}
