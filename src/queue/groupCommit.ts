// What one transaction of the queue holds and in which order, and what follows once it stands or when it does not. Nothing is answered
// or sent before.
import type { MessageId } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import type { AcceptAnswer } from "../mail/submission.ts";
import { type Inbox, refuse } from "./inbox.ts";
import { byWorker, type Turn } from "./launch.ts";
import type { LeaseSweep } from "./leaseSweep.ts";
import type { RecipientState } from "./lifecycle.ts";
import type { Lulls } from "./lulls.ts";
import type { Orders } from "./orders.ts";
import type { QueueDeps } from "./queue.ts";
import type { Candidate } from "./routing.ts";
import type { Stage } from "./task.ts";
import type { Workings } from "./workings.ts";

/** Sites whose lines are read in one transaction. */
const PUMPS_MAX = 64;

export interface Written {
  /** The state after each report; null where its lease had been lost. */
  readonly settled: readonly (RecipientState | null)[];
  readonly stages: readonly Stage[];
  readonly answers: readonly AcceptAnswer[];
}

export interface GroupCommit {
  /** Inside the transaction. */
  write(turn: Turn, batch: Inbox): Written;
  committed(turn: Turn, batch: Inbox, written: Written): void;
  /** Nothing of the transaction stands: what was in memory for it goes too, and what must be written is kept. */
  undo(turn: Turn, batch: Inbox): void;
}

export interface GroupCommitDeps {
  readonly queue: QueueDeps;
  readonly workings: Workings;
  readonly lulls: Lulls;
  readonly orders: Orders;
  readonly sweep: LeaseSweep;
  /** Takes back what a transaction that does not stand had taken from it. */
  readonly inbox: Inbox;
  readonly isServing: () => boolean;
  readonly mayExpire: () => boolean;
}

export function createGroupCommit(deps: GroupCommitDeps): GroupCommit {
  const { queue, workings, lulls, orders, sweep, inbox, isServing, mayExpire } = deps;
  const { store, sources, clock } = queue;
  const { accepting, admission, deadlines, dispatcher, expect, flights, landing, placing } =
    workings;
  const { measure, outage, pauses, rests, routes, settling, sites, withdrawals } = workings;

  /** Nobody may send it any more, since it was claimed. */
  const isUnwanted = ({ claimed }: Candidate): boolean => {
    if (pauses.everything() || pauses.stopsDomain(domainOf(claimed.address))) return true;
    return withdrawals.wants(claimed.message);
  };

  /** A lease has ended in this transaction: what an operator wanted of its recipient can be done now. */
  const landed = (turn: Turn, message: MessageId, n: number, state?: RecipientState): void => {
    if (!withdrawals.wants(message)) return;
    const next = state ?? store.recipients(message).find((row) => row.n === n)?.state;
    if (next !== undefined) withdrawals.landed(turn, message, n, next);
  };

  const report = (turn: Turn, batch: Inbox): (RecipientState | null)[] => {
    const settled: (RecipientState | null)[] = [];
    for (const one of batch.reports) {
      const state = settling.report(turn, one);
      settled.push(state);
      if (state !== null) landed(turn, one.flight.message, one.verdict.n, state);
    }
    for (const loss of batch.losses) {
      settling.loss(turn, loss);
      landed(turn, loss.leased.message, loss.leased.n);
    }
    return settled;
  };

  const place = (turn: Turn, { resolved }: Inbox): void => {
    for (const { candidate, routing } of resolved)
      if (routing === null || isUnwanted(candidate)) {
        const { message, n } = candidate.claimed;
        placing.giveBack(turn, candidate);
        landed(turn, message, n);
        // The resolver's answer may have come too late for it.
      } else if (!placing.ends(turn, candidate)) placing.place(turn, candidate, routing);
  };

  const pump = (turn: Turn): void => {
    if (turn.dispatching)
      for (let pumps = 0; pumps < PUMPS_MAX && turn.claimsLeft > 0; pumps++) {
        const site = sites.takeReady();
        if (site === undefined) break;
        dispatcher.pump(turn, site);
      }
    else if (isServing()) outage.run(turn, dispatcher.pump);
  };

  return {
    write(turn, batch) {
      const settled = report(turn, batch);
      sweep.run(turn, batch);
      place(turn, batch);
      if (mayExpire()) deadlines.run(turn);
      const stages = orders.run(turn, batch.tasks);
      pump(turn);
      const answers = accepting.take(turn, batch.calls);
      lulls.write();
      rests.write(turn.now);
      if (sources !== undefined) store.remember(sources.rows());
      return { settled, stages, answers };
    },
    committed(turn, batch, { settled, stages, answers }) {
      sites.committed();
      sources?.written();
      lulls.written();
      rests.written();
      deadlines.committed();
      sweep.committed();
      landing.land(batch.reports, settled, turn.now);
      for (const result of turn.ended) measure.ended(result);
      admission.ended(turn.ended.length);
      measure.lost(turn.lost);
      byWorker(turn).forEach((sent, worker) => queue.send(worker, sent));
      orders.committed(batch.tasks, stages);
      for (const follow of turn.afterwards) follow();
      const messages = accepting.answer(batch.calls, answers);
      const mono = clock.monotonicMs();
      measure.committed(mono - turn.now.mono, messages);
      if (admission.resize(mono)) sites.forgetIdle();
      const dropped = store.takeDropped();
      if (dropped.length > 0) queue.dropSpool(dropped);
      queue.onCommit?.();
    },
    undo(turn, batch) {
      sweep.undo();
      sites.rolledBack();
      deadlines.undo();
      if (turn.asked.length > 0) routes.forget(turn.asked);
      sites.unrouted.starving = false;
      expect(sites.unrouted);
      for (const flight of turn.flights) {
        if (flight.probe) flight.site.probing = false;
        sources?.refund(flight.route, flight.open);
        flights.remove(flight);
        flight.site.starving = false;
        expect(flight.site);
      }
      for (const site of turn.pumped) {
        site.dueAt.fill(0);
        site.starving = false;
        sites.hurry(site);
      }
      inbox.reports = batch.reports.concat(inbox.reports);
      inbox.losses = batch.losses.concat(inbox.losses);
      inbox.resolved = batch.resolved.concat(inbox.resolved);
      for (const call of batch.calls) refuse(call, { why: "disk_low" }, queue);
    },
  };
}
