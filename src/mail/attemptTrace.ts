// An attempt whose trace is told outside, on its way from the sender that made it to the door, which makes spans of it and exports them.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "./id.ts";
import type { Lookup } from "./job.ts";
import type { Priority } from "./message.ts";

export interface AttemptTrace {
  readonly message: MessageId;
  /** As in `MessageHead`; null: its own id is its trace's. */
  readonly trace: string | null;
  /** Why it is told at all (report/sampling.ts). */
  readonly why: string;
  readonly priority: Priority;
  /** 0: whoever tells of it does not know. */
  readonly sizeBytes: number;
  /** When its job came from the queue, and when it was decided. */
  readonly cameAt: EpochMs;
  readonly endedAt: EpochMs;
  /** How long its domain's route was looked for in the DNS before that; absent: it was known. */
  readonly lookup?: Lookup;
  /** Of one transaction; never empty. */
  readonly recipients: readonly TracedRecipient[];
  /** What was said, packed (mail/dialogue.ts); empty: it was not written down. */
  readonly dialogue: string;
}

export interface TracedRecipient {
  readonly n: number;
  readonly address: string;
  /** Of this lease, and of no other attempt. */
  readonly claim: number;
  /** Attempts that counted, before this one. */
  readonly attempts: number;
  /** Packed (mail/timeline.ts). */
  readonly step: string;
}
