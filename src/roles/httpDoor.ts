// The addresses of the HTTP API: their sockets, their certificate, and what a reload changes of them.
import { X509Certificate } from "node:crypto";
import type { Log } from "../base/log.ts";
import type { Gauge, Meter } from "../base/meter.ts";
import type { Config } from "../config.ts";
import { type Endpoint, showEndpoint } from "../config/kinds.ts";
import type { Refuse } from "../submit/answer.ts";
import { type Crowd, createCrowd } from "../submit/crowd.ts";
import type { Door } from "../submit/door.ts";
import { serveTcp, type TcpListener, type TlsPair } from "../submit/serve.ts";
import { tlsPairOf } from "./settings.ts";

export interface HttpDoor {
  readonly url: string;
  /** Requests that have no answer yet. */
  open(): number;
  /** A text: nothing was changed, and why. */
  configure(next: Config): string | undefined;
  stop(): Promise<void>;
  stopNow(): Promise<void>;
}

/** A text: it could not be opened, and why. */
export function openHttpDoor(deps: {
  readonly door: Door;
  readonly config: Config;
  readonly refuse: Refuse;
  readonly log: Log;
  readonly meter: Meter;
}): HttpDoor | string {
  const { door, refuse, log } = deps;
  let { config } = deps;
  const crowd = createCrowd(refuse);
  const first = tlsPairOf(config);
  if (typeof first === "string") return `tls_cert: ${first}`;
  let pair: TlsPair | null = first;
  const api = openAt("listen", config.listen, { door, crowd, tls: pair });
  if (typeof api === "string") return api;
  const openMetrics = ({ metricsListen }: Config): TcpListener | null | string =>
    metricsListen === null
      ? null
      : openAt("metrics_listen", metricsListen, { door: metricsOnly(door) });
  const opened = openMetrics(config);
  if (typeof opened === "string") {
    void api.stopNow();
    return opened;
  }
  let metrics = opened;
  const tellExpiry = createExpiry(deps.meter);
  tellExpiry(pair);
  const all = (): TcpListener[] => (metrics === null ? [api] : [api, metrics]);

  const moveMetrics = (next: Config): string | undefined => {
    if (JSON.stringify(next.metricsListen) === JSON.stringify(config.metricsListen))
      return undefined;
    const moved = openMetrics(next);
    if (typeof moved === "string") return moved;
    void metrics?.stopNow();
    metrics = moved;
    return undefined;
  };
  return {
    url: api.url,
    open: () => all().reduce((sum, listener) => sum + listener.open(), 0),
    configure(next) {
      const renewed = tlsPairOf(next);
      if (typeof renewed === "string") return `tls_cert: ${renewed}`;
      if (renewed?.cert !== pair?.cert || renewed?.key !== pair?.key)
        try {
          api.renew(renewed);
        } catch (error) {
          return `tls_cert: ${(error as Error).message}`;
        }
      const refused = moveMetrics(next);
      if (refused !== undefined) {
        if (renewed !== pair) api.renew(pair);
        return refused;
      }
      if (renewed?.cert !== pair?.cert) log("info", "tls.renewed", { listen: api.url });
      pair = renewed;
      tellExpiry(pair);
      config = next;
      return undefined;
    },
    stop: async () => void (await Promise.all(all().map((one) => one.stop()))),
    stopNow: async () => void (await Promise.all(all().map((one) => one.stopNow()))),
  };
}

interface Opening {
  readonly door: Door;
  readonly crowd?: Crowd;
  readonly tls?: TlsPair | null;
}

function openAt(setting: string, at: Endpoint, { door, ...rest }: Opening): TcpListener | string {
  try {
    return serveTcp(door, { hostname: at.host, port: at.port, ...rest });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "the port is taken by another program" : message;
    return `${setting} ${showEndpoint(at)}: ${why}`;
  }
}

/** A certificate that a reload took away ends never; one that was never there is not told of. */
function createExpiry(meter: Meter): (pair: TlsPair | null) => void {
  let gauge: Gauge | undefined;
  return (pair) => {
    if (pair !== null) gauge ??= meter.gauge("postrider_tls_cert_expiry_timestamp_seconds");
    const endsAt = pair === null ? Infinity : Date.parse(new X509Certificate(pair.cert).validTo);
    gauge?.set(endsAt / 1000);
  };
}

/** The address of `metrics_listen` answers nothing else. */
function metricsOnly(door: Door): Door {
  const nothing = (): Response => new Response("Only /metrics is here.\n", { status: 404 });
  return {
    fetch: (request, peer) =>
      new URL(request.url).pathname === "/metrics" ? door.fetch(request, peer) : nothing(),
    send: () => Promise.resolve(nothing()),
  };
}
