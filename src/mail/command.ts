// What an operator wants done or shown, on its way from the door to the thread that can do it, and what comes back. Everything in it
// is JSON: it travels between threads, and the answers are the API's own. A room adds its members here and their handlers in a file of
// its own under roles/handlers/.
import type { EpochMs } from "../base/clock.ts";
import type { KeyTerms, KeyUse, NewKey } from "./apiKey.ts";
import type { DkimKey } from "./dkim/key.ts";
import type { DnsType } from "./dns.ts";
import type { MessageId } from "./id.ts";
import type { TraceWish } from "./trace.ts";
import type { HookPending, HookProgress, NewWebhook, WebhookTerms } from "./webhook.ts";

/** For the queue thread: whatever changes the store, and whatever only that thread knows. */
export type Command = QueueCommand | DnsCommand | KeyCommand | WebhookCommand;

/** Whom a verb concerns, besides a message. */
export type Span =
  | { readonly by: "all" }
  | { readonly by: "domain"; readonly name: string }
  | { readonly by: "site"; readonly name: string };

export type Which = Span | { readonly by: "message"; readonly message: MessageId };

export type QueueCommand =
  /** What waits, and what is being sent up to its final dot. */
  | { readonly do: "queue.cancel"; readonly message: MessageId }
  /** Deferred mail is due now; mail that gave up begins anew. */
  | { readonly do: "queue.retry"; readonly message: MessageId }
  | { readonly do: "queue.reschedule"; readonly message: MessageId; readonly dueAt: EpochMs }
  | { readonly do: "queue.hold"; readonly which: Which }
  | { readonly do: "queue.release"; readonly which: Which }
  /** What waits for its next attempt is due now, and backoffs of our own are forgotten. */
  | { readonly do: "queue.flush"; readonly which: Which }
  /** Nothing more is sent there until it is resumed; what waits stays as it is. */
  | { readonly do: "queue.pause"; readonly span: Span }
  | { readonly do: "queue.resume"; readonly span: Span }
  /** Where a site stands: its pause, its failures, what is with the sender. */
  | { readonly do: "queue.site"; readonly site: string }
  /** The same of these sites and of all that rest, and what is paused (`SurveyView`). */
  | { readonly do: "queue.survey"; readonly sites: readonly string[] }
  /** All that this thread knows of where a domain's mail goes (`RouteView`). */
  | { readonly do: "queue.route"; readonly domain: string }
  | SuppressCommand;

/** Answered with the rows of the list that it concerns, in the order of what was asked. */
export type SuppressCommand =
  | {
      readonly do: "suppress.add";
      readonly entries: readonly { readonly address: string; readonly reason: string }[];
    }
  /** By address or by id. */
  | { readonly do: "suppress.remove"; readonly which: readonly string[] }
  /** A report that came back for a recipient and was matched to it. */
  | {
      readonly do: "suppress.report";
      readonly message: MessageId;
      readonly n: number;
      readonly report: "bounced" | "complained";
      readonly enhanced: string;
      readonly text: string;
      readonly by: string;
      readonly suppress: boolean;
    };

export type DnsCommand =
  | { readonly do: "dns.lookup"; readonly type: DnsType; readonly name: string }
  /** Null: all that is known. */
  | { readonly do: "dns.flush"; readonly name: string | null }
  | { readonly do: "dns.warm"; readonly domains: readonly string[] };

/** Answered with the `KeyRecord` as it is afterwards, by which time the door knows it. */
export type KeyCommand =
  | { readonly do: "keys.create"; readonly key: NewKey }
  | { readonly do: "keys.update"; readonly id: string; readonly change: Partial<KeyTerms> }
  | { readonly do: "keys.revoke"; readonly id: string }
  /** What the door counted: written behind or ahead of the mail, never in its way. */
  | { readonly do: "keys.used"; readonly uses: readonly KeyUse[] };

/** Answered with the `WebhookRecord` as it is afterwards, by which time the door's dispatcher knows it. */
export type WebhookCommand =
  | { readonly do: "webhook.create"; readonly webhook: NewWebhook }
  | { readonly do: "webhook.update"; readonly id: string; readonly change: Partial<WebhookTerms> }
  | { readonly do: "webhook.remove"; readonly id: string }
  /** The secret signs from now on, and the one before it a little longer. */
  | { readonly do: "webhook.rotate"; readonly id: string; readonly secret: string }
  | { readonly do: "webhook.replay"; readonly id: string; readonly pending: HookPending }
  /** What the dispatcher has done meanwhile, of all endpoints in one transaction. */
  | { readonly do: "webhook.progress"; readonly progress: readonly HookProgress[] };

/** For every sender thread: what it has learned, and what it does at this moment. */
export type SenderCommand =
  /** Connections and jobs, over all sites of the thread. */
  | { readonly do: "sender.gauges" }
  /** Its sites that have work or connections: concurrency, limits and whence, rates. Null: all of them. */
  | { readonly do: "sender.sites"; readonly site: string | null }
  /** Tells the dialogues that are wished for, under this number, until it is told to stop. */
  | { readonly do: "sender.trace"; readonly number: number; readonly wish: TraceWish }
  | { readonly do: "sender.untrace"; readonly number: number }
  /** Signs with these keys and no others from now on. */
  | { readonly do: "sender.keys"; readonly keys: readonly DkimKey[] };

/** Why a command cannot be done to what is there: an error name of the API (409). */
export type Conflict = "not_cancelable" | "not_retryable" | "conflict";

/**
 * - `missing`: what it names is not there.
 * - `later`: the disk is full, the daemon ends, or the thread did not answer in time; whether it was done is not known.
 */
export type CommandAnswer =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "missing"; readonly detail: string }
  | { readonly kind: "conflict"; readonly name: Conflict; readonly detail: string }
  | { readonly kind: "invalid"; readonly field: string; readonly detail: string }
  | { readonly kind: "later"; readonly why: "disk_low" | "draining" | "busy" };

/** One that the queue engine itself carries out. */
export type QueueVerb = Exclude<
  QueueCommand,
  { readonly do: "queue.site" | "queue.survey" | "queue.route" }
>;

/** Settles within the asker's time. */
export type Order = (command: Command) => Promise<CommandAnswer>;

export const busy: CommandAnswer = { kind: "later", why: "busy" };

export function done(value: unknown): CommandAnswer {
  return { kind: "done", value };
}
