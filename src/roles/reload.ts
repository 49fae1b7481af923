// `reload`: the settings are read anew, checked as a whole, and then given to every thread. What is wrong is told and changes nothing;
// what needs a restart stays as it was and is told too.
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { type Config, type LoadedConfig, problemLine } from "../config.ts";
import { rowOf, type SettingKey, settingKeys } from "../config/table.ts";
import { type CommandAnswer, done } from "../mail/command.ts";

/** Their sockets and files are held open; everything else changes while mail flows. */
const FIXED: readonly SettingKey[] = ["listen", "dataDir"];

export interface ReloadDeps {
  readonly config: Config;
  /** As at the start: the same flags, the environment, the file as it is now. */
  load(): LoadedConfig;
  apply(next: Config): Promise<Applied>;
  readonly log: Log;
  readonly meter: Meter;
}

/**
 * - `refused`: nothing was changed.
 * - `applied`: `failures` are threads that did not answer; a thread that is replaced gets the new settings.
 */
export type Applied =
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "applied"; readonly failures: readonly string[] };

export interface Reload {
  /** One at a time: a second one waits for the first. */
  run(): Promise<CommandAnswer>;
}

export function createReload(deps: ReloadDeps): Reload {
  const { log } = deps;
  const gauge = deps.meter.gauge("postrider_config_last_reload_successful");
  let { config } = deps;
  let last: Promise<unknown> = Promise.resolve();
  gauge.set(1);

  const refuse = (lines: readonly string[]): CommandAnswer => {
    gauge.set(0);
    for (const problem of lines) log("error", "config.refused", { problem });
    return {
      kind: "conflict",
      name: "conflict",
      detail: `Nothing was changed. ${lines.join("; ")}`,
    };
  };

  const reload = async (): Promise<CommandAnswer> => {
    const loaded = deps.load();
    if (loaded.kind === "bad") return refuse(loaded.problems.map(problemLine));
    const restart = FIXED.filter((key) => differs(config, loaded.config, key));
    const next: Config = { ...loaded.config, ...keptOf(config) };
    const changed = settingKeys.filter((key) => differs(config, next, key));
    for (const warning of loaded.warnings) log("warn", "config.warning", { warning });
    const applied = await deps.apply(next);
    if (applied.kind === "refused") return refuse([applied.why]);
    const { failures } = applied;
    config = next;
    const names = (keys: readonly SettingKey[]): string[] => keys.map((key) => rowOf(key).name);
    const fields = { changed: names(changed), needs_restart: names(restart), failures };
    gauge.set(failures.length === 0 ? 1 : 0);
    log(failures.length === 0 ? "info" : "error", "config.reloaded", {
      changed: fields.changed.join(" "),
      needs_restart: fields.needs_restart.join(" "),
      failures: failures.join("; "),
    });
    return done({ object: "reload", ...fields, warnings: loaded.warnings });
  };

  return {
    run() {
      const run = last.then(reload);
      last = run.catch(() => {});
      return run;
    },
  };
}

function keptOf(config: Config): Partial<Config> {
  return Object.fromEntries(FIXED.map((key) => [key, config[key]]));
}

function differs(a: Config, b: Config, key: SettingKey): boolean {
  return JSON.stringify(a[key]) !== JSON.stringify(b[key]);
}
