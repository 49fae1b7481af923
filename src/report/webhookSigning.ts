// The headers by which a receiver knows that an event is ours (Standard Webhooks), and a second time under the names that receivers written
// for Resend look for. By the runtime's own HMAC: the library `standardwebhooks`, by which receivers and our tests verify, has one in
// JavaScript, which takes as long as all else that a request needs.
import { createHmac } from "node:crypto";
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
  const timestamp = String(Math.floor(now / 1000));
  const signed = `${id}.${timestamp}.${body}`;
  const signature = live.map(({ secret }) => `v1,${hmacOf(secret, signed)}`).join(" ");
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signature,
    "svix-id": id,
    "svix-timestamp": timestamp,
    "svix-signature": signature,
  };
}

const PREFIX = "whsec_";

function hmacOf(secret: string, text: string): string {
  const key = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  return createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
}
