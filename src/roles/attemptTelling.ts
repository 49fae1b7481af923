// How a thread that ends attempts tells the door of those whose traces are exported.
import { systemClock } from "../base/clock.ts";
import type { Config } from "../config.ts";
import { type Attempts, createAttempts } from "../report/attempts.ts";
import type { Attempted } from "./protocol.ts";
import { samplingOf } from "./settings.ts";

/** The present one with other settings, or another; null: nobody is told. */
export function attemptsFor(
  config: Config,
  present: Attempts | null,
  say: (told: Attempted) => void,
): Attempts | null {
  const sampling = samplingOf(config);
  if (sampling !== null && present !== null) {
    present.configure(sampling);
    return present;
  }
  present?.flush();
  if (sampling === null) return null;
  const tell = (attempts: Attempted["attempts"], dropped: number): void =>
    say({ say: "attempted", attempts, dropped });
  return createAttempts({ clock: systemClock, sampling, tell });
}
