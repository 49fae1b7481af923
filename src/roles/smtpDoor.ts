// The SMTP listener with all that it needs: its addresses, its certificate, what a reload changes, and how it ends.
import { readFileSync } from "node:fs";
import { pause, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Config } from "../config.ts";
import { type Endpoint, showEndpoint } from "../config/kinds.ts";
import { serverLimits, serverTimeouts } from "../smtp/server/phases.ts";
import type { Gate } from "../submit/auth.ts";
import { isHeard } from "../submit/clients.ts";
import type { Health } from "../submit/door.ts";
import { createDesk, type DeskDeps } from "../submit/smtp/desk.ts";
import {
  createSmtpCount,
  type SmtpCount,
  openSmtpListener,
  secureContextOf,
  type Served,
  type SmtpClient,
  type SmtpListener,
  smtpListenerLimits,
} from "../submit/smtp/listener.ts";
import { clientRules, doorLimits, returnPaths } from "./settings.ts";

export interface SmtpDoorDeps extends Pick<DeskDeps, "accept" | "ids" | "tag" | "spool" | "signs"> {
  readonly config: Config;
  readonly gate: Gate;
  readonly health: () => Health;
  readonly meter: Meter;
  readonly log: Log;
}

export interface SmtpDoor {
  /** A text: nothing was changed, and why. */
  configure(next: Config): Promise<string | undefined>;
  /** Idle clients are told to go; resolves when no message is under way, or the time is up. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** How long a message that is coming in when the daemon ends may take to its dot. */
const LAST_MESSAGES_MS = 5_000;

const settings = {
  smtpListen: { name: "smtp_listen", scheme: "smtp" },
  smtpTlsListen: { name: "smtp_tls_listen", scheme: "smtps" },
} as const;
type ListenSetting = keyof typeof settings;
const listens = ["smtpListen", "smtpTlsListen"] as const;

/** A text: it could not be opened, and why. */
export async function openSmtpDoor(deps: SmtpDoorDeps): Promise<SmtpDoor | string> {
  let { config } = deps;
  const open = new Map<ListenSetting, SmtpListener>();
  const count = createSmtpCount(countClients(deps.meter));
  const first = certificateOf(config);
  if (typeof first === "string") return first;
  let certificate = first;
  let desk = deskOf(deps, config);
  let rules = clientRules(config);

  const serve = (client: SmtpClient): Served => ({
    desk: createDesk(desk, client.address),
    timeouts: serverTimeouts,
    secureContext: certificate,
    heard: isHeard(rules, client.address),
    refused(reason) {
      deps.meter.counter("postrider_rejected_total", { reason }).add();
      deps.log("info", "smtp.refused", { reason });
    },
    failed: (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      deps.log("error", "smtp.failed", { error: text });
    },
    options: {
      hostname: config.hostname,
      limits: {
        ...serverLimits,
        messageBytes: config.maxMessageBytes,
        recipients: config.maxRecipients * 3,
      },
    },
  });
  const listen = (setting: ListenSetting, at: Endpoint): Promise<SmtpListener> => {
    const implicitTls = setting === "smtpTlsListen";
    return openSmtpListener({
      clock: systemClock,
      at,
      implicitTls,
      limits: smtpListenerLimits,
      count,
      serve,
    });
  };
  /** Opens what the settings name and closes what they no longer do; all or nothing. */
  const apply = async (next: Config, before: Config | undefined): Promise<string | undefined> => {
    const changed = listens.filter((one) => !same(next[one], before?.[one] ?? null));
    const opened = new Map<ListenSetting, SmtpListener>();
    for (const setting of changed) {
      const at = next[setting];
      if (at === null) continue;
      try {
        opened.set(setting, await listen(setting, at));
      } catch (error) {
        for (const one of opened.values()) void one.stopNow();
        return `${settings[setting].name} ${showEndpoint(at)}: ${reasonOf(error)}`;
      }
    }
    for (const setting of changed) {
      const old = open.get(setting);
      open.delete(setting);
      if (old !== undefined) void drained([old]).then(() => old.stopNow());
    }
    for (const [setting, one] of opened) {
      open.set(setting, one);
      const { scheme } = settings[setting];
      const at = showEndpoint({ host: next[setting]?.host ?? "", port: one.port });
      deps.log("info", "smtp.listening", { url: `${scheme}://${at}` });
    }
    return undefined;
  };

  const failed = await apply(config, undefined);
  if (failed !== undefined) return failed;
  return {
    async configure(next) {
      const made = certificateOf(next);
      if (typeof made === "string") return made;
      const [oldCertificate, oldDesk, old] = [certificate, desk, config];
      [certificate, desk, config] = [made, deskOf(deps, next), next];
      const refused = await apply(next, old);
      if (refused !== undefined) [certificate, desk, config] = [oldCertificate, oldDesk, old];
      rules = clientRules(config);
      return refused;
    },
    drain: () => drained([...open.values()]),
    async close() {
      await Promise.all([...open.values()].map((one) => one.stopNow()));
    },
  };
}

function countClients(meter: Meter): SmtpCount["changed"] {
  const active = meter.gauge("postrider_submission_sessions_active");
  const name = "postrider_submission_sessions_total";
  const taken = {
    plain: meter.counter(name, { tls: "false" }),
    tls: meter.counter(name, { tls: "true" }),
  };
  return (all, came) => {
    active.set(all);
    if (came !== null) taken[came].add();
  };
}

async function drained(listeners: readonly SmtpListener[]): Promise<void> {
  const all = Promise.all(listeners.map((one) => one.drain()));
  const late = pause(systemClock, LAST_MESSAGES_MS);
  await Promise.race([all, late]);
}

function deskOf(deps: SmtpDoorDeps, { hostname, ...config }: Config): DeskDeps {
  const limits = doorLimits({ hostname, ...config });
  return {
    ...deps,
    clock: systemClock,
    hostname,
    returnPathOf: returnPaths(config),
    messageBytesMax: limits.messageBytes,
    recipientsPerField: limits.recipientsPerField,
    accepted: deps.meter.counter("postrider_messages_accepted_total", { door: "smtp" }),
    duration: deps.meter.histogram("postrider_accept_duration_seconds"),
  };
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EADDRINUSE" ? "the port is taken by another program" : message;
}

function same(a: Endpoint | null, b: Endpoint | null): boolean {
  return a?.host === b?.host && a?.port === b?.port;
}

/** Null: there is none, so TLS is not offered. A text: it cannot be used. */
function certificateOf({
  tlsCert,
  tlsKey,
  smtpListen,
  smtpTlsListen,
}: Config): Served["secureContext"] | string {
  if (tlsCert === null || tlsKey === null || (smtpListen ?? smtpTlsListen) === null) return null;
  try {
    return secureContextOf(readFileSync(tlsCert), readFileSync(tlsKey));
  } catch (error) {
    return `tls_cert ${tlsCert}, tls_key ${tlsKey}: ${(error as Error).message}`;
  }
}
