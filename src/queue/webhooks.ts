// The book of webhooks: endpoints, how far each has come, and the log of its deliveries. Written in batches, apart from the mail.
import type { EpochMs } from "../base/clock.ts";
import type {
  HookPending,
  HookProgress,
  NewWebhook,
  WebhookRecord,
  WebhookSecret,
  WebhookTerms,
} from "../mail/webhook.ts";

export interface WebhookStore {
  /** In the order of their numbers. */
  webhooks(): readonly WebhookRecord[];

  // Inside a transaction:
  /** Its number, which none had before. It is told what happens from now on. */
  addWebhook(webhook: NewWebhook): number;
  changeWebhook(number: number, terms: WebhookTerms): void;
  signWebhook(number: number, secrets: readonly WebhookSecret[]): void;
  /** Its log goes too. */
  removeWebhook(number: number): void;
  /** One that is gone is passed over. */
  progressWebhook(progress: HookProgress, at: EpochMs): void;
  /** The event waits for an attempt again, from the beginning. */
  replayWebhook(number: number, pending: HookPending, at: EpochMs): void;
}
