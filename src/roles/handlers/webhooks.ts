// The commands of webhooks. The dispatcher hears of every change before its answer, so that an endpoint that was removed is told nothing
// more by then.
import type { Clock } from "../../base/clock.ts";
import { type CommandAnswer, done, type WebhookCommand } from "../../mail/command.ts";
import {
  SECRET_OVERLAP_MS,
  SECRETS_MAX,
  type WebhookRecord,
  type WebhookSecret,
  WEBHOOKS_MAX,
} from "../../mail/webhook.ts";
import type { QueueStore } from "../../queue/store.ts";
import type { WebhookStore } from "../../queue/webhooks.ts";
import type { Handlers } from "./handle.ts";

export interface WebhooksDeps {
  readonly store: WebhookStore & Pick<QueueStore, "transaction">;
  readonly clock: Pick<Clock, "now">;
  tell(message: { readonly say: "webhooks"; readonly webhooks: readonly WebhookRecord[] }): void;
  /** What is on the disk is not known any more: the process must end. */
  fatal(text: string): void;
}

const missing: CommandAnswer = { kind: "missing", detail: "There is no such webhook." };

export function webhookHandlers(deps: WebhooksDeps): Handlers<WebhookCommand> {
  const { store, clock, tell, fatal } = deps;
  /** Answers with the webhook as it is afterwards. */
  const write = (run: () => number | undefined): CommandAnswer => {
    const written = store.transaction(run);
    if (written.kind === "failed") {
      if (written.why === "io") fatal(`the queue's store failed: ${written.text}`);
      return { kind: "later", why: "disk_low" };
    }
    const webhooks = store.webhooks();
    tell({ say: "webhooks", webhooks });
    return done(webhooks.find(({ number }) => number === written.value) ?? null);
  };
  const change = (id: string, run: (found: WebhookRecord) => void): CommandAnswer => {
    const found = store.webhooks().find((one) => one.id === id);
    if (found === undefined) return missing;
    return write(() => {
      run(found);
      return found.number;
    });
  };
  return {
    "webhook.create"({ webhook }) {
      if (store.webhooks().length < WEBHOOKS_MAX) return write(() => store.addWebhook(webhook));
      const detail = `There are ${WEBHOOKS_MAX} webhooks already. Remove one first.`;
      return { kind: "conflict", name: "conflict", detail };
    },
    "webhook.update": ({ id, change: terms }) =>
      change(id, (found) => store.changeWebhook(found.number, { ...found, ...terms })),
    "webhook.remove": ({ id }) => change(id, ({ number }) => store.removeWebhook(number)),
    "webhook.rotate": ({ id, secret }) =>
      change(id, ({ number, secrets }) =>
        store.signWebhook(number, rotated(secrets, secret, clock.now())),
      ),
    "webhook.replay": ({ id, pending }) =>
      change(id, ({ number }) => store.replayWebhook(number, pending, clock.now())),
    "webhook.progress"({ progress }) {
      const at = clock.now();
      const written = store.transaction(() => {
        for (const one of progress) store.progressWebhook(one, at);
      });
      if (written.kind === "committed") {
        if (progress.some(({ disable }) => disable !== null))
          tell({ say: "webhooks", webhooks: store.webhooks() });
        return done(null);
      }
      if (written.why === "io") fatal(`the queue's store failed: ${written.text}`);
      return { kind: "later", why: "disk_low" };
    },
  };
}

/** A secret that has an end keeps it, so that rotating twice does not prolong the life of the first. */
function rotated(secrets: readonly WebhookSecret[], secret: string, now: number): WebhookSecret[] {
  const old = secrets
    .filter(({ until }) => until === null || until > now)
    .map((one) => ({ ...one, until: one.until ?? now + SECRET_OVERLAP_MS }));
  return [{ secret, until: null }, ...old].slice(0, SECRETS_MAX);
}
