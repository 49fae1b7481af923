// A webhook as the API shows it, and what can be done to it.
import { act } from "./notices.ts";

export interface WebhookView {
  readonly id: string;
  readonly endpoint: string;
  /** Null: all. */
  readonly events: readonly string[] | null;
  readonly status: "enabled" | "disabled";
  readonly created_at: string;
  readonly failing_since: string | null;
  readonly disabled_reason: string | null;
  /** Only of a single one. */
  readonly pending_events?: number;
}

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
