// What a reload changes in a daemon that runs, thread by thread. How one is read, checked and answered: reload.ts.
import type { LogLevels } from "../base/log.ts";
import type { Config } from "../config.ts";
import type { Traffic } from "../report/traffic.ts";
import { prepareDataFolder } from "./dataFolder.ts";
import type { Fleet } from "./fleet.ts";
import type { OpenedDoor } from "./openDoor.ts";
import type { QueueThread } from "./queueThread.ts";
import type { ReaderThread } from "./readerThread.ts";
import { type Applied, createReload, type Reload, type ReloadDeps } from "./reload.ts";
import type { Signing } from "./signing.ts";

export interface ReloadingDeps extends Omit<ReloadDeps, "apply"> {
  readonly opened: Pick<Extract<OpenedDoor, { kind: "open" }>, "configure">;
  readonly senders: Pick<Fleet, "configure" | "shrink">;
  readonly queue: Pick<QueueThread, "configure">;
  readonly reader: Pick<ReaderThread, "configure">;
  readonly signing: Pick<Signing, "configure">;
  readonly traffic: Pick<Traffic, "turn">;
  /** Lines are written as these settings want it from now on. */
  logAs(config: Config): void;
  logFrom(levels: LogLevels): void;
  /** How long running SMTP transactions of a sender that is not needed any more may take to end. */
  readonly graceMs: number;
}

export function createReloading(deps: ReloadingDeps): Reload {
  return createReload({
    ...deps,
    async apply(next) {
      const applied = await applySettings(next, deps);
      if (applied.kind === "applied") {
        deps.meter.turn(next.metrics);
        deps.traffic.turn(next.metrics);
      }
      return applied;
    },
  });
}

/** What can be refused comes first. New senders are there before sites move to them, and old ones end once theirs have moved. */
async function applySettings(next: Config, deps: ReloadingDeps): Promise<Applied> {
  const { opened, senders, queue, reader, signing } = deps;
  const prepared = prepareDataFolder(next.dataDir, next.apiKey);
  if (prepared.kind === "failed")
    return { kind: "refused", why: `data_dir ${next.dataDir}: ${prepared.text}` };
  const refused = await opened.configure(next, prepared.apiKey);
  if (refused !== undefined) return { kind: "refused", why: refused };
  deps.logAs(next);
  deps.logFrom(next.logLevel);
  reader.configure(next);
  const told = await senders.configure(next);
  await signing.configure(next);
  const heard = await queue.configure(next);
  senders.shrink(deps.graceMs);
  const failures = told.flatMap((answer, i) => (answer.kind === "done" ? [] : [`sender-${i}`]));
  if (heard.kind !== "done") failures.push("queue");
  return { kind: "applied", failures: failures.map((thread) => `${thread} did not answer`) };
}
