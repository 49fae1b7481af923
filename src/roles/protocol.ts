// The closed union of what threads may say to each other. The door talks to all; the queue and each sender have a channel of their own,
// so that no message passes through the door twice.
import type { MessagePort } from "node:worker_threads";
import type { LogFields, LogLevel, LogLevels } from "../base/log.ts";
import type { Sample } from "../base/meter.ts";
import type { Config } from "../config.ts";
import type { KeyRecord } from "../mail/apiKey.ts";
import type { AttemptTrace } from "../mail/attemptTrace.ts";
import type { Command, CommandAnswer, SenderCommand } from "../mail/command.ts";
import type { DkimKey } from "../mail/dkim/key.ts";
import type { Job } from "../mail/job.ts";
import type { MessageHead } from "../mail/message.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import type { Answer, Query, UplinkView } from "../mail/query.ts";
import type { Parted } from "../mail/handover.ts";
import type { Late, Recall } from "../mail/recall.ts";
import type { Refusal } from "../mail/submission.ts";
import type { TraceLine } from "../mail/trace.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { WebhookRecord } from "../mail/webhook.ts";
import type { SenderLoad } from "../queue/crew.ts";
import type { QueueHealth } from "../queue/queue.ts";
import type { RefusedWhy } from "../queue/sqlite-open.ts";
import type { ToldRoutes } from "./routesTold.ts";
import type { Packed, PackedAnswers } from "./wire.ts";

/** What a new thread is told before it runs its first line. */
export type ThreadStart =
  | {
      readonly role: "queue";
      readonly config: Config;
      readonly workers: number;
      /** Where the door hears `QueueAnswers`. */
      readonly answers: MessagePort;
    }
  | {
      readonly role: "sender";
      readonly config: Config;
      readonly index: number;
      readonly keys: readonly DkimKey[];
      /** Senders that share the sites by now. */
      readonly atWork: number;
      /** It takes the place of one that died. */
      readonly replaces: boolean;
    }
  | { readonly role: "reader"; readonly config: Config };

/** What every thread may say to the door besides its own matters. */
export type Common =
  | {
      readonly say: "log";
      readonly level: LogLevel;
      readonly event: string;
      readonly fields: LogFields;
    }
  | { readonly say: "samples"; readonly samples: readonly Sample[] }
  | { readonly say: "stopped" };

/** What every thread may be told: other lines of the log from now on. */
export interface Levels {
  readonly say: "levels";
  readonly levels: LogLevels;
}

/** New settings, checked as a whole before any thread hears of them: they hold from the answer on. */
export interface Configure {
  readonly do: "configure";
  readonly config: Config;
}

/** The answer to a command, by its number. */
export interface Told {
  readonly say: "told";
  readonly number: number;
  readonly answer: CommandAnswer;
}

/** Heads are `MessageHead`s; `groups` tells how many of them belong to each call, since a call is stored whole or not at all. */
export interface AcceptBatch {
  readonly say: "accept";
  readonly batch: number;
  readonly packed: Packed<MessageHead>;
  readonly groups: readonly number[];
  /** Of the calls that carry an idempotency key (wire.ts); absent when none does. */
  readonly onces?: string;
}

/** To one batch. They have a channel of their own, since the door takes them in the midst of its turn. */
export interface QueueAnswers {
  readonly batch: number;
  readonly answers: PackedAnswers;
}

export type DoorToQueue =
  | AcceptBatch
  /** A sender thread, new or in the place of one that died. */
  | { readonly say: "sender"; readonly index: number; readonly port: MessagePort }
  | { readonly say: "senderLost"; readonly index: number }
  /** It is about to stop for good: its sites have gone to others. */
  | { readonly say: "senderLeaves"; readonly index: number }
  | { readonly say: "command"; readonly number: number; readonly command: Command | Configure }
  /** Somebody follows the events: `moved` is to be said once there is one behind this row. */
  | { readonly say: "listen"; readonly afterRow: number }
  /** Takes no more mail and starts no more attempts. */
  | { readonly say: "drain" }
  | { readonly say: "stop" };

export interface QueueReady {
  readonly say: "ready";
  readonly tag: HostTag;
  readonly lastId: MessageId;
  readonly health: QueueHealth;
  readonly keys: readonly KeyRecord[];
  readonly webhooks: readonly WebhookRecord[];
}

/** Why a store could not be opened; each has an exit code of its own (INTERFACE 3). */
export interface QueueUnable {
  readonly say: "unable";
  readonly why: RefusedWhy | "died";
  readonly text: string;
}

export type QueueToDoor =
  | Common
  | QueueReady
  | QueueUnable
  | Told
  | Attempted
  /** All API keys, whenever one was made, changed or revoked. */
  | { readonly say: "keys"; readonly keys: readonly KeyRecord[] }
  /** So many senders are to work from now on. */
  | { readonly say: "atWork"; readonly workers: number }
  /** There are new events. */
  | { readonly say: "moved" }
  /** All webhooks, whenever one was made, changed or removed. */
  | { readonly say: "webhooks"; readonly webhooks: readonly WebhookRecord[] }
  /** Told when it changes. */
  | { readonly say: "standing"; readonly refusing: Refusal | null }
  /** Whenever it changes. */
  | { readonly say: "uplink"; readonly uplink: UplinkView }
  /** An invariant broke or the disk failed: the process must end at once (DESIGN 3, 11). */
  | { readonly say: "fatal"; readonly text: string };

/** One job as it travels: its route is a place in the list of those that this sender was told. */
export interface JobHead {
  readonly job: Job;
  readonly route: number;
}

export interface Jobs {
  readonly say: "jobs";
  readonly told: ToldRoutes;
  readonly packed: Packed<JobHead>;
}

export type QueueToSender =
  | Jobs
  /** Answered by `recalled`, behind the verdicts of what could be given back. */
  | { readonly say: "recall"; readonly recall: Recall }
  /** They become another sender's. Answered by `parted`, when nothing is connected to them. */
  | { readonly say: "part"; readonly sites: readonly string[] }
  /** They were another sender's; their first jobs follow. */
  | { readonly say: "adopt"; readonly parted: readonly Parted[] }
  /** The queue drains. A sender that stops waits for it: no job may arrive behind its last word. */
  | { readonly say: "noMoreJobs" };

/**
 * Verdicts as they are posted: JSON of what they say, which is cheaper than a clone of the same objects. Their steps and dialogues
 * are JSON already, so that none holds a line end: each is a line here. Quoted a second time, and read again, they would be
 * three quarters of the cost.
 */
export interface PackedVerdicts {
  readonly heads: string;
  readonly steps: string;
  /** An empty line where nothing is told. */
  readonly dialogues: string;
}

export type SenderToQueue =
  | { readonly say: "verdicts"; readonly packed: PackedVerdicts }
  | { readonly say: "recalled"; readonly late: readonly Late[] }
  | { readonly say: "parted"; readonly parted: readonly Parted[] }
  /** Once a second. */
  | { readonly say: "load"; readonly load: SenderLoad }
  /** The last word of a sender that stops: it and the door's `stop` travel on different channels. */
  | { readonly say: "bye" };

export type DoorToSender =
  | { readonly say: "queue"; readonly port: MessagePort }
  | {
      readonly say: "command";
      readonly number: number;
      readonly command: SenderCommand | Configure;
    }
  /** So many senders share the sites from now on. */
  | { readonly say: "atWork"; readonly workers: number }
  | { readonly say: "stop"; readonly graceMs: number };
export type SenderToDoor = Common | Told | Traced | Attempted;

/** Attempts whose traces are told outside, and how many more there would have been. */
export interface Attempted {
  readonly say: "attempted";
  readonly attempts: readonly AttemptTrace[];
  readonly dropped: number;
}

/** Lines of a live look, and how many more there would have been. */
export interface Traced {
  readonly say: "traced";
  readonly number: number;
  readonly lines: readonly TraceLine[];
  readonly dropped: number;
}

export type DoorToReader =
  | { readonly say: "ask"; readonly number: number; readonly query: Query }
  | { readonly say: "stop" };
export type ReaderToDoor =
  Common | { readonly say: "answer"; readonly number: number; readonly answer: Answer };

type VerdictHead = Omit<Verdict, "step" | "dialogue">;

export function packVerdicts(verdicts: readonly Verdict[]): PackedVerdicts {
  const heads: VerdictHead[] = [];
  let steps = "";
  let dialogues = "";
  for (const { step, dialogue = "", ...head } of verdicts) {
    heads.push(head);
    steps += `${step}\n`;
    dialogues += `${dialogue}\n`;
  }
  return { heads: JSON.stringify(heads), steps, dialogues };
}

export function unpackVerdicts(packed: PackedVerdicts): Verdict[] {
  const heads = JSON.parse(packed.heads) as VerdictHead[];
  const steps = packed.steps.split("\n");
  const dialogues = packed.dialogues.split("\n");
  // Behind the last line end there is one more, which is empty.
  if (steps.length !== heads.length + 1 || dialogues.length !== steps.length)
    throw new Error("verdicts came with the steps of others");
  return heads.map((head, i) => {
    const verdict = { ...head, step: steps[i] ?? "" };
    const dialogue = dialogues[i] ?? "";
    return dialogue === "" ? verdict : { ...verdict, dialogue };
  });
}
