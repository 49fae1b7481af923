// A sender with real sockets, whose targets are fake servers known by made-up addresses.
import { afterEach } from "bun:test";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { noLog, type Log } from "../../src/base/log.ts";
import { createMeter, type Meter } from "../../src/base/meter.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Connect } from "../../src/deliver/connection.ts";
import { createSender, type Sender, type SenderDeps } from "../../src/deliver/sender.ts";
import { deliverDefaults, type DeliverSettings } from "../../src/deliver/settings.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import type { Job } from "../../src/mail/job.ts";
import { boundsOf, hasExemplars } from "../../src/mail/metrics.ts";
import { unpackTimeline, type AttemptStep } from "../../src/mail/timeline.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { attemptOrder } from "../../src/route/order.ts";
import type { Route } from "../../src/route/route.ts";
import { createTrust } from "../../src/route/trust.ts";
import { fakeCertificate } from "./fakeCertificate.ts";
import { startFakeMx, type FakeMx, type FakeMxOptions } from "./fakeMx.ts";

export interface Rig {
  readonly sender: Sender;
  readonly verdicts: Verdict[];
  readonly servers: readonly FakeMx[];
  readonly meter: Meter;
  readonly route: Route;
  /** One message to `recipients` (default one). */
  send(change?: Partial<Job>, to?: { route?: Partial<Route>; body?: Uint8Array | null }): Job;
  /** Resolves when so many verdicts have come. */
  verdictsOf(count: number): Promise<Verdict[]>;
  end(): Promise<void>;
}

export interface RigOptions {
  readonly servers: readonly FakeMxOptions[];
  readonly settings?: Partial<DeliverSettings>;
  readonly route?: Partial<Route>;
  readonly log?: Log;
  /** The sender's; the network keeps the real one. */
  readonly clock?: Clock;
  readonly spool?: (file: string) => AsyncIterable<Uint8Array>;
  readonly connect?: (real: Connect) => Connect;
  readonly signer?: SenderDeps["signer"];
  readonly replaces?: boolean;
}

export const message = Buffer.from("Subject: hello\r\n\r\n.a line with a dot\r\nthe end\r\n");

const oneRound = { times: 0, firstMs: 0 };
/** No second look: a test that wants one says so. */
export const once = { 0: oneRound, 1: oneRound, 2: oneRound };

/** For the whole file: what makes a rig that ends with its test. */
export function rigsOfEachTest(): (options: RigOptions) => Promise<Rig> {
  const rigs: Rig[] = [];
  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.end()));
  });
  return async (options) => {
    const rig = await createRig(options);
    rigs.push(rig);
    return rig;
  };
}

export async function createRig(options: RigOptions): Promise<Rig> {
  const servers = await Promise.all(options.servers.map((one) => startFakeMx(one)));
  const ports = new Map(servers.map((server, i) => [`192.0.2.${i + 1}`, server.port]));
  const route = routeTo([...ports.keys()], options.route ?? {});
  const verdicts: Verdict[] = [];
  let heard = (): void => {};
  const socketConnect = createSocketConnect({
    clock: systemClock,
    trust: createTrust([fakeCertificate]),
  });
  const toFake: Connect = (target, deadlineMs, signal) => {
    // Nobody listens at an address that is no server of ours.
    const port = ports.get(target.address) ?? 1;
    return socketConnect({ ...target, address: "127.0.0.1", port }, deadlineMs, signal);
  };
  const meter = createMeter(boundsOf, { hasExemplars });
  const sender = createSender({
    clock: options.clock ?? systemClock,
    random: seededRandom(1),
    connect: options.connect?.(toFake) ?? toFake,
    meter,
    log: options.log ?? noLog,
    settings: { ...deliverDefaults, rounds: once, helo: "us.example.com", ...options.settings },
    verdict(verdict) {
      verdicts.push(verdict);
      heard();
    },
    readSpool: options.spool ?? (() => assertNever()),
    ...(options.signer === undefined ? {} : { signer: options.signer }),
    ...(options.replaces === undefined ? {} : { replaces: options.replaces }),
    order: attemptOrder,
  });
  let next = 1;
  return {
    sender,
    verdicts,
    servers,
    meter,
    route,
    send(change = {}, to = {}) {
      const body = to.body === undefined ? message : to.body;
      const job = jobOf(next++, { sizeBytes: body?.length ?? 0, ...change });
      sender.submit(job, to.route === undefined ? route : { ...route, ...to.route }, body);
      return job;
    },
    async verdictsOf(count) {
      while (verdicts.length < count) await new Promise<void>((resolve) => (heard = resolve));
      return verdicts;
    },
    async end() {
      await sender.stop(0);
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}

function assertNever(): never {
  throw new Error("nothing is spooled here");
}

function routeTo(addresses: readonly string[], change: Partial<Route>): Route {
  return {
    site: "example.net",
    via: "mx",
    hosts: addresses.map((address, i) => ({
      name: i === 0 ? "mx.example.com" : `mx${i + 1}.example.com`,
      preference: i,
      addresses: [address],
    })),
    port: 25,
    tls: "off",
    implicitTls: false,
    login: null,
    ...change,
  };
}

export function jobOf(number: number, change: Partial<Job>): Job {
  return {
    message: number,
    from: "sender@example.com",
    recipients: [{ n: 0, address: `to${number}@example.net`, claim: number, attempts: 0 }],
    priority: 1,
    site: "example.net",
    sizeBytes: message.length,
    eightBit: false,
    utf8: false,
    expiresAt: Number.MAX_SAFE_INTEGER,
    body: { kind: "inline", length: message.length },
    ...change,
  };
}

export const recipients = (...names: string[]): Job["recipients"] =>
  names.map((name, n) => ({ n, address: `${name}@example.net`, claim: n + 1, attempts: 0 }));

export function stepOf(verdict: Verdict | undefined): AttemptStep {
  const [step] = unpackTimeline(verdict?.step ?? "");
  if (step?.kind !== "attempt") throw new Error("no attempt");
  return step;
}
