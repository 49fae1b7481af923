// One message through a daemon, and what its first attempt came to.
import type { Daemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

export interface Attempt {
  /** The event's type without `email.`. */
  readonly outcome: string;
  readonly host: string;
  readonly phase: string;
  readonly class: string;
  readonly text: string;
  readonly tls: Readonly<Record<string, unknown>> | null;
}

interface EventView {
  readonly type: string;
  readonly data: { readonly postrider: Omit<Attempt, "outcome"> };
}

const OUTCOMES = ["email.delivered", "email.delivery_delayed", "email.bounced"];

export async function attemptTo(daemon: Daemon, to: string): Promise<Attempt> {
  const response = await daemon.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ from: "from@sender.test", to, subject: "laboratory", text: "hello" }),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  const { id } = (await response.json()) as { readonly id: string };
  return until(`an attempt for ${to}`, async () => {
    const answer = await daemon.request(`/emails/${id}/events`);
    if (!answer.ok) return undefined;
    const { data } = (await answer.json()) as { readonly data: readonly EventView[] };
    const event = data.find(({ type }) => OUTCOMES.includes(type));
    if (event === undefined) return undefined;
    return { ...event.data.postrider, outcome: event.type.replace("email.", "") };
  });
}
