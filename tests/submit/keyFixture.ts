// A door whose API keys lie in a real store, changed by the handlers of the queue thread: only the threads between them are left out.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import type { KeyCommand } from "../../src/mail/command.ts";
import type { Accept, AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { handle } from "../../src/roles/handlers/handle.ts";
import { keyHandlers } from "../../src/roles/handlers/keys.ts";
import { createKeyBook, type KeySettings } from "../../src/submit/keyBook.ts";
import { createSimClock } from "../sim/time.ts";
import { createFixture, type Fixture, KEY, network } from "./doorFixture.ts";

export const START = Date.UTC(2026, 10, 23, 12);

export interface KeyStage {
  readonly clock: ReturnType<typeof createSimClock>;
  readonly accepted: Submission[];
  readonly logged: string[];
  /** What the queue answers. */
  said: AcceptAnswer;
  fixture: Fixture;
  settings(change: Partial<KeySettings>): void;
  /** With this token, the first key's unless it is named. */
  ask(method: string, path: string, body?: unknown, token?: string): Promise<Response>;
  create(terms: object): Promise<{ readonly id: string; readonly token: string }>;
  /** Lets simulated time pass. */
  pass(ms: number): void;
  /** Ends everything as a kill would, or in order, and begins anew on the same folder. */
  restart(way: "kill" | "stop"): Promise<void>;
  close(): void;
}

export function createKeyStage(): KeyStage {
  const folder = mkdtempSync(join(tmpdir(), "postrider-keys-"));
  const clock = createSimClock(START);
  const logged: string[] = [];
  let settings: KeySettings = { firstKey: KEY, rate: null, burst: 100, waitMs: 100 };

  let owner = 0;
  const open = () => {
    clock.kill(owner);
    const own = clock.of(++owner);
    const opened = openSqliteStore({ dataDir: folder, random: seededRandom(3), ballastBytes: 0 });
    if (opened.kind === "refused") throw new Error(opened.text);
    const { store } = opened;
    const handlers = keyHandlers({
      store,
      log: (_, event) => void logged.push(event),
      tell: (keys) => book.heard(keys),
      fatal: (text) => {
        throw new Error(text);
      },
    });
    const order = (command: { readonly do: string }) => handle(handlers, command as KeyCommand);
    const book = createKeyBook({ clock: own, order, records: store.keys(), settings });
    const accept: Accept = book.account(async (messages) => {
      if (stage.said.kind === "accepted") stage.accepted.push(...messages);
      return stage.said;
    });
    const { keys, records: keyRecords } = book;
    const fixture = createFixture({ keys, keyRecords, order, accept, clock: own });
    return { store, book, fixture };
  };
  const stage: KeyStage = {
    clock,
    logged,
    accepted: [],
    said: { kind: "accepted" },
    fixture: undefined as never,
    settings(change) {
      settings = { ...settings, ...change };
      now.book.configure(settings);
    },
    ask: async (method, path, body, token = KEY) =>
      stage.fixture.door.fetch(
        new Request(`http://door.test${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
        network,
      ),
    async create(terms) {
      const made = await stage.ask("POST", "/api-keys", { name: "a key", ...terms });
      if (made.status !== 201) throw new Error(await made.text());
      return (await made.json()) as { id: string; token: string };
    },
    pass(ms) {
      const until = clock.monotonicMs() + ms;
      while (clock.step(until));
    },
    async restart(way) {
      if (way === "stop") await now.book.close();
      now.fixture.close();
      now.store.close();
      now = open();
      stage.fixture = now.fixture;
    },
    close() {
      now.fixture.close();
      now.store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  let now = open();
  stage.fixture = now.fixture;
  return stage;
}
