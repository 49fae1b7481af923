// What can be done to a webhook.
import type { WebhookView } from "../mail/webhook.ts";
import { act } from "./notices.ts";

export function webhookPath(id: string): string {
  return `/webhooks/${encodeURIComponent(id)}`;
}

export function switchWebhook({ id, endpoint, status }: WebhookView): Promise<boolean> {
  const next = status === "enabled" ? "disabled" : "enabled";
  return act({
    ...{ method: "PATCH", path: webhookPath(id), body: { status: next } },
    done: () => `${endpoint} is ${next}.`,
    failed: `${endpoint} is still ${status}.`,
  });
}

export function replay(webhook: string, event: string): Promise<boolean> {
  return act<{ readonly id: string }>({
    method: "POST",
    path: `${webhookPath(webhook)}/events/${encodeURIComponent(event)}/replay`,
    done: ({ id }) => `${id} will be sent again.`,
    failed: "The event is not sent again.",
  });
}
