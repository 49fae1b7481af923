// What an operator, or a report that was matched, does to the list of addresses that get no mail.
import { type CommandAnswer, done, type SuppressCommand } from "../mail/command.ts";
import { type HostTag, idOf } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import { REASON_MAX, suppressionKey, suppressionView } from "../mail/suppression.ts";
import { packStep, unpackTimeline } from "../mail/timeline.ts";
import { unreachable } from "../base/unreachable.ts";
import { domainOf } from "../mail/message.ts";
import type { Turn } from "./launch.ts";
import { SINK_SITE } from "./outage.ts";
import type { QueuePolicy } from "./policy.ts";
import { refused, type Stage, type Task } from "./task.ts";
import type { QueueStore } from "./store.ts";

export interface SuppressVerbDeps {
  readonly store: QueueStore;
  readonly policy: Pick<QueuePolicy, "suppressBounces">;
}

export function suppressTask(
  { store, policy }: SuppressVerbDeps,
  command: SuppressCommand,
  answer: (answer: CommandAnswer) => void,
): Task {
  switch (command.do) {
    case "suppress.add":
      return { answer, run: (turn) => add(store, turn, command) };
    case "suppress.remove":
      return { answer, run: () => remove(store, command) };
    case "suppress.report":
      return { answer, run: (turn) => report(store, policy, turn, command) };
    default:
      return unreachable(command);
  }
}

type Named<Do extends SuppressCommand["do"]> = Extract<SuppressCommand, { readonly do: Do }>;

/** What stands already stays as it is, so that nobody overwrites why. */
function add(store: QueueStore, turn: Turn, { entries }: Named<"suppress.add">): Stage {
  const { tag } = store.facts;
  const at = turn.now.wall;
  const rows = entries.flatMap(({ address, reason }) => {
    const key = suppressionKey(address);
    const words = reason.slice(0, REASON_MAX);
    const stood = store.suppress({
      address: key,
      origin: "manual",
      source: null,
      reason: words,
      at,
    });
    const row = stood ?? store.suppression(key);
    return row === undefined ? [] : [{ ...suppressionView(row, tag), added: stood === undefined }];
  });
  return { committed: () => done(rows) };
}

/** Each is an address, or an id of the list; null where there is none. */
function remove(store: QueueStore, { which }: Named<"suppress.remove">): Stage {
  const { tag } = store.facts;
  const rows = which.map((one) => {
    const address = addressOf(store, one, tag);
    const gone = address === undefined ? undefined : store.unsuppress(address);
    return gone === undefined ? null : suppressionView(gone, tag);
  });
  return { committed: () => done(rows) };
}

function addressOf(store: QueueStore, one: string, tag: HostTag): string | undefined {
  if (one.includes("@")) return suppressionKey(one);
  const id = idOf(one, tag);
  return id === undefined ? undefined : store.suppressionById(id)?.address;
}

/** A report that was matched to its message. The recipient's state is final and stays so; what came later stands behind it. */
function report(
  store: QueueStore,
  policy: SuppressVerbDeps["policy"],
  turn: Turn,
  command: Named<"suppress.report">,
): Stage {
  const { message, n, report: kind, enhanced, text, by, suppress } = command;
  const at = turn.now.wall;
  const row = store.recipients(message).find((one) => one.n === n);
  if (row === undefined)
    return refused({ kind: "missing", detail: "The message has no such recipient any more." });
  const steps = unpackTimeline(row.timeline);
  // Whoever else got the message can name this recipient, but nobody can have refused what never left.
  const mayHaveLeft = steps.some((step) => step.kind === "attempt" || step.doubt);
  if (isFinal(row.state.at) && !mayHaveLeft)
    return refused(done({ result: "forged", suppressed: false }));
  if (steps.some((step) => step.kind === "report" && step.report === kind))
    return refused(done({ result: "duplicate", suppressed: false }));
  const step = packStep({ kind: "report", at, report: kind, doubt: false, enhanced, text, by });
  const event = kind === "bounced" ? "email.bounced" : "email.complained";
  if (!store.annotate({ message, n, step, event, at }))
    return refused(done({ result: "early", suppressed: false }));
  let suppressed = false;
  const wanted = kind === "complained" || policy.suppressBounces;
  if (suppress && wanted && domainOf(row.address) !== SINK_SITE) {
    const origin = kind === "bounced" ? "bounce" : "complaint";
    const reason = `${enhanced === "" ? "" : `${enhanced} `}${text}`.slice(0, REASON_MAX);
    const address = suppressionKey(row.address);
    suppressed = store.suppress({ address, origin, source: message, reason, at }) === undefined;
  }
  return { committed: () => done({ result: "recorded", suppressed }) };
}
