// What the queue engine is given and what it offers: the whole of what other rooms, by way of roles/, may say to it.
import type { Clock } from "../base/clock.ts";
import type { Log, LogGate } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { CommandAnswer, QueueVerb } from "../mail/command.ts";
import type { SiteHealthView, SurveyView } from "../mail/explain.ts";
import type { Parted } from "../mail/handover.ts";
import type { Late, Recall } from "../mail/recall.ts";
import type { UplinkView } from "../mail/query.ts";
import type { AcceptAnswer, Once, Refusal, Submission } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { RouteFor } from "../route/route.ts";
import type { KeyDepths } from "./depths.ts";
import type { SenderLoad } from "./crew.ts";
import type { Dispatch } from "./launch.ts";
import type { NetworkSigns } from "./outage.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Untried } from "./routing.ts";
import type { Sources } from "./sources.ts";
import type { QueueStore } from "./store.ts";

export interface QueueDeps {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly random: Pick<Random, "roll">;
  readonly routeFor: RouteFor;
  /** Whether a sender's domain has relays of its own (`[senders]`). */
  readonly ownRelays?: (senderDomain: string) => boolean;
  /** What the API keys with a limit owe. */
  readonly depths?: Pick<KeyDepths, "isFull">;
  /** The addresses to send from; without it the system chooses. */
  readonly sources?: Sources;
  /** Sender threads, of which as many work as are needed (crew.ts); a site belongs to one of them. */
  readonly workers: number;
  readonly send: (worker: number, batch: readonly Dispatch[]) => void;
  /** Wants back what a sender has; what it cannot give back any more it tells by `recalled`. */
  readonly recall: (worker: number, recall: Recall) => void;
  /** These sites become another sender's: what is idle there ends. Answered by `parted`. */
  readonly part: (worker: number, sites: readonly string[]) => void;
  /** They were another sender's, and are this one's before its next job. */
  readonly adopt: (worker: number, parted: readonly Parted[]) => void;
  readonly policy: QueuePolicy;
  readonly meter: Meter;
  readonly log: Log;
  /** Whether a line of this kind is wanted; without it none that is a line a message. */
  readonly logs?: LogGate;
  /** An attempt ended before it came to a sender, since there was no route, or mail expired while it waited. Told after the commit. */
  readonly untried?: Untried;
  /** What is on the disk is not known any more: the process must end. */
  readonly fatal: (text: string) => void;
  /** Spool files that nothing needs any more. */
  readonly dropSpool: (files: readonly string[]) => void;
  /** Without it only the fate of mail tells whether our own line is up. */
  readonly signs?: NetworkSigns;
  /** So many of the senders are at work from now on; at the start it is one. */
  readonly onAtWork?: (workers: number) => void;
  /** After every commit. */
  readonly onCommit?: () => void;
  /** Our own line is up, down or blocked from now on. */
  readonly onUplink?: (uplink: UplinkView) => void;
}

export interface QueueHealth {
  readonly pendingRecipients: number;
  readonly pendingBytes: number;
  readonly leased: number;
  readonly uplink: UplinkView;
}

/** What the disk says of itself. */
export interface Pressure {
  readonly freeBytes: number;
  /** Grows without end while a reader from outside holds a snapshot, since nothing can be written back below it. */
  readonly walBytes: number;
}

export interface Queue {
  /** Takes back what earlier processes had leased, and begins. */
  start(): void;
  /** `answer` is called once: after the commit, or with a refusal. */
  accept(
    messages: readonly Submission[],
    answer: (answer: AcceptAnswer) => void,
    once?: Once,
  ): void;
  settle(verdicts: readonly Verdict[]): void;
  /** An operator's command; `answer` is called once. */
  order(verb: QueueVerb, answer: (answer: CommandAnswer) => void): void;
  /** A sender's word on what was recalled: these are past their final dot. Its verdicts on the others came before. */
  recalled(late: readonly Late[]): void;
  /** A sender's word on its last second. */
  loaded(worker: number, load: SenderLoad): void;
  /** A sender is connected to none of these sites any more; to none at all, since it has ended. */
  parted(worker: number, parted: readonly Parted[] | "all"): void;
  /** The thread is gone: its leases come back with doubt. */
  workerLost(worker: number): void;
  pressure(pressure: Pressure): void;
  /** Takes no more mail and starts no more attempts. */
  drain(): void;
  /** The addresses to send from are others now: sites that waited for a new day are looked at again. */
  reopen(): void;
  /** Resolves once nothing is leased. */
  idle(): Promise<void>;
  /** Writes what is left to write, and ends: nothing is called back afterwards. */
  stop(): void;
  /** Other limits, and other senders, from now on; nothing that was learned of a site is lost. */
  configure(next: { readonly policy: QueuePolicy; readonly workers: number }): void;
  /** Null: nothing has been sent there since the start. */
  look(site: string): SiteHealthView | null;
  /** Many at one time, with those that rest, and what somebody on our side must mend. */
  survey(names: readonly string[]): Pick<SurveyView, "sites" | "alerts">;
  /** Why no mail is taken at this moment; null: it is. */
  standing(): Refusal | null;
  health(): QueueHealth;
  /** Brings the gauges up to date: called before the meter is drained. */
  measure(): void;
}
