// How a sender thread reaches other hosts: over sockets, or to the built-in sink; with whom it believes and what it notices about clocks.
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config.ts";
import { createClockWatch } from "../deliver/clockWatch.ts";
import type { Connect } from "../deliver/connection.ts";
import { createSocketConnect } from "../deliver/socket.ts";
import { createTrust } from "../route/trust.ts";
import { createBuiltinSink } from "./builtinSink.ts";
import { INBOX_FOLDER } from "./dataFolder.ts";
import { createDescriptors } from "./descriptors.ts";
import { createInboxWriter } from "./inboxWriter.ts";
import { authoritiesOf } from "./settings.ts";

export interface Connecting {
  readonly connect: Connect;
  /** Other authorities from now on; sessions that the old ones vouched for are not resumed. */
  configure(next: Config): void;
  /** The thread ends: what the inbox has taken is written. */
  close(): void;
}

export function createConnecting(
  config: Config,
  { log, meter }: { readonly log: Log; readonly meter: Meter },
): Connecting {
  const clock = systemClock;
  const trust = createTrust(authoritiesOf(config, log));
  const watch = createClockWatch({ clock, log, meter });
  const sockets = createSocketConnect({
    clock,
    trust,
    judged: (host, { outOfTime }) => watch.judged(host, outOfTime),
  });
  const inbox = createInboxWriter({
    folder: join(config.dataDir, INBOX_FOLDER),
    messagesMax: config.inboxMaxMessages,
    clock,
    random: systemRandom,
    log,
  });
  const { hostname } = config;
  const sink = createBuiltinSink({ clock, random: systemRandom, hostname, inbox });
  const descriptors = createDescriptors(clock);
  return {
    async connect(target, deadlineMs, signal) {
      if (target.via === "sink") return sink(target, deadlineMs, signal);
      const made = await sockets(target, deadlineMs, signal);
      if (made.kind === "connected" || made.why !== "network" || !descriptors.isScarce())
        return made;
      return { ...made, why: "local", text: `no file descriptor is left; ${made.text}` };
    },
    configure(next) {
      trust.configure(authoritiesOf(next, log));
      inbox.configure(next.inboxMaxMessages);
    },
    close: inbox.close,
  };
}
