// Commands between their arrival and their answer: which of them run in a transaction, and what follows when it stands or does not.
import type { CommandAnswer, QueueVerb } from "../mail/command.ts";
import type { Recall } from "../mail/recall.ts";
import type { Flights } from "./flight.ts";
import type { Inbox } from "./inbox.ts";
import type { Turn } from "./launch.ts";
import type { Stage, Task } from "./task.ts";
import { taskOf, type VerbDeps } from "./verbs.ts";

/** Beyond it a caller is told to come again. */
const TASKS_MAX = 1000;

export interface Orders {
  take(verb: QueueVerb, answer: (answer: CommandAnswer) => void): void;
  /** Inside a transaction. */
  run(turn: Turn, tasks: readonly Task[]): Stage[];
  committed(tasks: readonly Task[], stages: readonly Stage[]): void;
  /** Nothing of this transaction stands; what earlier ones did does. */
  refuse(tasks: readonly Task[], why: "disk_low" | "draining"): void;
}

export function createOrders(deps: VerbDeps, inbox: Inbox): Orders {
  return {
    take(verb, answer) {
      if (inbox.tasks.length >= TASKS_MAX) return answer({ kind: "later", why: "busy" });
      inbox.tasks.push(taskOf(deps, verb, answer));
    },
    run: (turn, tasks) => tasks.map((task) => task.run(turn)),
    committed(tasks, stages) {
      tasks.forEach((task, i) => {
        const next = stages[i]?.committed() ?? "later";
        if (next === "more") inbox.tasks.push(task);
        else if (next !== "later") task.answer(next);
      });
    },
    refuse: (tasks, why) => tasks.forEach((task) => task.answer({ kind: "later", why })),
  };
}

/** The sender threads that may have what is recalled. */
export function workersOf(recall: Recall, flights: Flights): readonly number[] {
  const concerned = recall.by === "message" ? flights.of(recall.message) : flights.all();
  const workers = new Set<number>();
  for (const { site } of concerned) workers.add(site.worker);
  return [...workers];
}
