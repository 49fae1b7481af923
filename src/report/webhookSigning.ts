// The headers by which a receiver knows that an event is ours (Standard Webhooks), and a second time under the names that receivers written
// for Resend look for.
import { Webhook } from "standardwebhooks";
import type { EpochMs } from "../base/clock.ts";
import type { WebhookSecret } from "../mail/webhook.ts";

/** One signature for each secret that is live, so that a receiver may change over when it likes. */
export function signedHeaders(
  id: string,
  body: string,
  secrets: readonly WebhookSecret[],
  now: EpochMs,
): Record<string, string> {
  const live = secrets.filter(({ until }) => until === null || now < until);
  const at = new Date(now);
  const signature = live.map(({ secret }) => new Webhook(secret).sign(id, at, body)).join(" ");
  const timestamp = String(Math.floor(now / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signature,
    "svix-id": id,
    "svix-timestamp": timestamp,
    "svix-signature": signature,
  };
}
