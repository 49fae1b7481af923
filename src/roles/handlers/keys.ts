// The commands of API keys. The door hears of every change before its answer, so that a key that was revoked is dead by then.
import type { Log } from "../../base/log.ts";
import { type CommandAnswer, done, type KeyCommand } from "../../mail/command.ts";
import { type KeyRecord, KEYS_MAX } from "../../mail/apiKey.ts";
import type { KeyStore } from "../../queue/keys.ts";
import type { QueueStore } from "../../queue/store.ts";
import type { Handlers } from "./handle.ts";

export interface KeysDeps {
  readonly store: KeyStore & Pick<QueueStore, "transaction">;
  /** All keys of this moment. */
  tell(keys: readonly KeyRecord[]): void;
  /** Told by name and id of each change: keys are what an operator looks for first after an accident. */
  readonly log: Log;
  /** What is on the disk is not known any more: the process must end. */
  fatal(text: string): void;
}

const missing: CommandAnswer = { kind: "missing", detail: "There is no such API key." };

export function keyHandlers({ store, tell, log, fatal }: KeysDeps): Handlers<KeyCommand> {
  /** Answers with the key as it is afterwards. */
  const write = (run: () => number | undefined, quiet = false): CommandAnswer => {
    const written = store.transaction(run);
    if (written.kind === "failed") {
      if (written.why === "io") fatal(`the queue's store failed: ${written.text}`);
      return { kind: "later", why: "disk_low" };
    }
    if (quiet) return done(null);
    const keys = store.keys();
    tell(keys);
    return done(keys.find((key) => key.number === written.value) ?? null);
  };
  const noted = (
    event: string,
    { id, name }: Pick<KeyRecord, "id" | "name">,
    run: () => number | undefined,
  ): CommandAnswer => {
    const answer = write(run);
    if (answer.kind === "done") log("info", event, { id, name });
    return answer;
  };
  const find = (id: string): KeyRecord | undefined => store.keys().find((key) => key.id === id);
  return {
    "keys.create"({ key }) {
      if (store.keys().length < KEYS_MAX) return noted("key.created", key, () => store.addKey(key));
      const detail = `There are ${KEYS_MAX} API keys already. Revoke one first.`;
      return { kind: "conflict", name: "conflict", detail };
    },
    "keys.update"({ id, change }) {
      const key = find(id);
      if (key === undefined) return missing;
      return noted("key.changed", key, () => {
        store.changeKey(key.number, { ...key, ...change });
        return key.number;
      });
    },
    "keys.revoke"({ id }) {
      const key = find(id);
      if (key === undefined) return missing;
      return noted("key.revoked", key, () => void store.removeKey(key.number));
    },
    "keys.used": ({ uses }) => write(() => void store.useKeys(uses), true),
  };
}
