// The queue's end of its channels to the sender threads.
import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Parted } from "../mail/handover.ts";
import { isRecalled, type Recall } from "../mail/recall.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Dispatch } from "../queue/launch.ts";
import type { Queue } from "../queue/queue.ts";
import {
  type JobHead,
  type Jobs,
  type QueueToSender,
  type SenderToQueue,
  unpackVerdicts,
} from "./protocol.ts";
import { createRoutesTold, type RoutesTold } from "./routesTold.ts";
import { type Piece, pack, transferOf } from "./wire.ts";

type Hearer = Pick<Queue, "settle" | "recalled" | "parted" | "loaded">;

export interface SenderPorts {
  send(index: number, batch: readonly Dispatch[]): void;
  /** Nothing is sent afterwards. */
  noMoreJobs(): void;
  /** Nothing is sent to this one afterwards: what comes for its index waits for the next one. */
  retire(index: number): void;
  /** Jobs that no sender ever got are given back here. */
  recall(index: number, recall: Recall): void;
  part(index: number, sites: readonly string[]): void;
  adopt(index: number, parted: readonly Parted[]): void;
  /** Who hears what the senders say. */
  tell(queue: Hearer): void;
  join(index: number, port: MessagePort): void;
  leave(index: number): void;
  /** Runs `then` once every sender has said its last word, or after `timeoutMs`. Jobs that no sender ever got are given back. */
  whenAllSaidBye(timeoutMs: number, then: () => void): void;
}

const noMoreJobs: QueueToSender = { say: "noMoreJobs" };

export function createSenderPorts(clock: Clock): SenderPorts {
  const ports = new Map<number, MessagePort>();
  const told = new WeakMap<MessagePort, RoutesTold>();
  /** Of senders that were told to end: what they had they still speak of. */
  const leaving = new Map<number, MessagePort>();
  /** Jobs for a sender that has not joined yet: at start, and while a dead one is being replaced. */
  const early = new Map<number, Dispatch[]>();
  /** Sites of such senders, by name. */
  const adopted = new Map<number, Map<string, Parted>>();
  let hearer: Hearer | undefined;
  let whenEmpty: (() => void) | undefined;
  let jobsEnded = false;

  const forget = (index: number, port: MessagePort | undefined): void => {
    port?.close();
    for (const line of [ports, leaving]) if (line.get(index) === port) line.delete(index);
    if (ports.size + leaving.size === 0) whenEmpty?.();
  };

  const routesToldTo = (port: MessagePort): RoutesTold => {
    const known = told.get(port) ?? createRoutesTold();
    told.set(port, known);
    return known;
  };

  const send = (index: number, batch: readonly Dispatch[]): void => {
    const port = ports.get(index);
    if (port === undefined) return void early.set(index, [...(early.get(index) ?? []), ...batch]);
    const said = jobsOf(batch, routesToldTo(port));
    port.postMessage(said, transferOf(said.packed));
  };

  /** It goes on before its sender came. */
  const takeBack = (index: number, site: string): Parted => {
    const known = adopted.get(index);
    const one = known?.get(site) ?? { site, standing: null };
    known?.delete(site);
    return one;
  };

  return {
    send,
    leave(index) {
      forget(index, leaving.get(index));
      forget(index, ports.get(index));
      // Their leases come back with those of the thread that is gone.
      early.delete(index);
      adopted.delete(index);
    },
    recall(index, recall) {
      leaving.get(index)?.postMessage({ say: "recall", recall });
      const port = ports.get(index);
      if (port !== undefined) return port.postMessage({ say: "recall", recall });
      const waiting = early.get(index) ?? [];
      const meant = waiting.filter(({ job }) => isRecalled(recall, job));
      if (meant.length === 0) return;
      early.set(
        index,
        waiting.filter((one) => !meant.includes(one)),
      );
      hearer?.settle(meant.flatMap(untouched));
    },
    part(index, sites) {
      const port = ports.get(index) ?? leaving.get(index);
      // One that has not joined yet has no connection.
      if (port === undefined)
        hearer?.parted(
          index,
          sites.map((site) => takeBack(index, site)),
        );
      else port.postMessage({ say: "part", sites });
    },
    adopt(index, parted) {
      const port = ports.get(index);
      if (port !== undefined) return port.postMessage({ say: "adopt", parted });
      const known = adopted.get(index) ?? new Map<string, Parted>();
      adopted.set(index, known);
      for (const one of parted) known.set(one.site, one);
    },
    retire(index) {
      const port = ports.get(index);
      if (port === undefined) return;
      ports.delete(index);
      leaving.set(index, port);
      port.postMessage(noMoreJobs);
    },
    noMoreJobs() {
      jobsEnded = true;
      for (const port of ports.values()) port.postMessage(noMoreJobs);
    },
    tell: (given) => void (hearer = given),
    join(index, port) {
      ports.set(index, port);
      port.on("message", (said: SenderToQueue) => {
        switch (said.say) {
          case "verdicts":
            return hearer?.settle(unpackVerdicts(said.packed));
          case "recalled":
            return hearer?.recalled(said.late);
          case "parted":
            return hearer?.parted(index, said.parted);
          case "load":
            return hearer?.loaded(index, said.load);
          case "bye":
            hearer?.parted(index, "all");
            return forget(index, port);
          default:
            return unreachable(said);
        }
      });
      const parted = adopted.get(index);
      adopted.delete(index);
      if (parted !== undefined) port.postMessage({ say: "adopt", parted: [...parted.values()] });
      const waiting = early.get(index) ?? [];
      early.delete(index);
      if (waiting.length > 0) send(index, waiting);
      if (jobsEnded) port.postMessage(noMoreJobs);
    },
    whenAllSaidBye(timeoutMs, then) {
      for (const batch of early.values()) hearer?.settle(batch.flatMap(untouched));
      early.clear();
      if (ports.size + leaving.size === 0) return then();
      const timer = clock.after(timeoutMs, () => whenEmpty?.());
      whenEmpty = () => {
        whenEmpty = undefined;
        timer.cancel();
        then();
      };
    },
  };
}

/** Nothing was tried, so nothing is in doubt and no attempt is counted. */
function untouched({ job }: Dispatch): Verdict[] {
  return job.recipients.map(({ n, claim }) => ({
    message: job.message,
    n,
    claim,
    kind: "interrupted",
    scope: "message",
    class: "none",
    doubt: false,
    step: "",
  }));
}

function jobsOf(batch: readonly Dispatch[], routes: RoutesTold): Jobs {
  const told = routes.tell(batch.map(({ route }) => route));
  const pieces = batch.map(({ job, route, body }): Piece<JobHead> => {
    return { head: { job, route: routes.placeOf(route) }, body };
  });
  return { say: "jobs", told, packed: pack(pieces) };
}
