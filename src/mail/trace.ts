// A live look at the dialogues of one message or of one domain's mail: what is asked for, and the lines that come back.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "./id.ts";
import type { Job } from "./job.ts";
import { domainOf } from "./message.ts";

export type TraceWish =
  | { readonly by: "message"; readonly message: MessageId }
  | { readonly by: "domain"; readonly name: string };

export interface TraceLine {
  readonly at: EpochMs;
  /** Names the connection, as timelines do. */
  readonly session: string;
  readonly host: string;
  readonly address: string;
  /** `note`: neither side said it, such as the end of a connection. */
  readonly who: "us" | "them" | "note";
  /** Harmless and bounded; secrets are masked. */
  readonly text: string;
  /** How long the answer took. */
  readonly ms?: number;
}

export function isTraced(wish: TraceWish, { message, recipients }: Job): boolean {
  if (wish.by === "message") return message === wish.message;
  return recipients.some(({ address }) => domainOf(address) === wish.name);
}
