// The commands of API keys. The door hears of every change before its answer, so that a key that was revoked is dead by then.
import { type CommandAnswer, done, type KeyCommand } from "../../mail/command.ts";
import { type KeyRecord, KEYS_MAX } from "../../mail/apiKey.ts";
import type { KeyStore } from "../../queue/keys.ts";
import type { QueueStore } from "../../queue/store.ts";
import type { Handlers } from "./handle.ts";

export interface KeysDeps {
  readonly store: KeyStore & Pick<QueueStore, "transaction">;
  /** All keys of this moment. */
  tell(keys: readonly KeyRecord[]): void;
  /** What is on the disk is not known any more: the process must end. */
  fatal(text: string): void;
}

const missing: CommandAnswer = { kind: "missing", detail: "There is no such API key." };

export function keyHandlers({ store, tell, fatal }: KeysDeps): Handlers<KeyCommand> {
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
  const find = (id: string): KeyRecord | undefined => store.keys().find((key) => key.id === id);
  return {
    "keys.create"({ key }) {
      if (store.keys().length < KEYS_MAX) return write(() => store.addKey(key));
      const detail = `There are ${KEYS_MAX} API keys already. Revoke one first.`;
      return { kind: "conflict", name: "conflict", detail };
    },
    "keys.update"({ id, change }) {
      const key = find(id);
      if (key === undefined) return missing;
      return write(() => {
        store.changeKey(key.number, { ...key, ...change });
        return key.number;
      });
    },
    "keys.revoke"({ id }) {
      const key = find(id);
      if (key === undefined) return missing;
      return write(() => void store.removeKey(key.number));
    },
    "keys.used": ({ uses }) => write(() => void store.useKeys(uses), true),
  };
}
