// The settings about waiting: how long mail is tried, how often, and how long a remote server may take.
import { type Kind, type PerPriority, duration, durations, list, perPriority } from "./kinds.ts";
import { setting } from "./setting.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const stepDefaults: PerPriority<readonly number[]> = [
  [15 * SECOND, 45 * SECOND, 2 * MINUTE, 135 * SECOND, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE],
  [MINUTE, 255 * SECOND, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR],
  [10 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR],
];
const lifetimeDefaults: PerPriority<number> = [5 * DAY, 5 * DAY, 3 * DAY];
/** RFC 5321 4.5.3.2 and what no RFC sets: connecting, and the handshake. */
const timeoutDefaults = {
  connect: 30 * SECOND,
  greeting: 5 * MINUTE,
  ehlo: 5 * MINUTE,
  starttls: 2 * MINUTE,
  tls: MINUTE,
  auth: 2 * MINUTE,
  mail: 5 * MINUTE,
  rcpt: 5 * MINUTE,
  data: 2 * MINUTE,
  block: 3 * MINUTE,
  dot: 10 * MINUTE,
};

export const patienceSettings = {
  retryStepsMs: setting<PerPriority<readonly number[]>>({
    name: "retry",
    kind: perPriority(notEmpty(list(duration({ min: SECOND, max: 5 * DAY }), 100)), stepDefaults),
    default: stepDefaults,
    help: "Waits after the first, second ... attempt; the last one repeats",
    table: true,
  }),
  lifetimeMs: setting<PerPriority<number>>({
    name: "lifetime",
    kind: perPriority(duration({ min: MINUTE, max: 30 * DAY }), lifetimeDefaults),
    default: lifetimeDefaults,
    help: "How long delivery is tried",
    table: true,
  }),
  timeoutsMs: setting({
    name: "timeouts",
    kind: durations({ min: 100, max: HOUR }, timeoutDefaults),
    default: timeoutDefaults,
    help: "How long a remote server may take for each step (RFC 5321 4.5.3.2). A shorter `dot` makes duplicates",
    table: true,
  }),
} as const;

function notEmpty<T>(kind: Kind<readonly T[]>): Kind<readonly T[]> {
  return {
    ...kind,
    parse(raw, machine) {
      const values = kind.parse(raw, machine);
      return values?.length === 0 ? undefined : values;
    },
  };
}
