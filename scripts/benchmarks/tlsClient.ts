// Two clients in one process, in turns: a bare one, and what a sender does before a message and behind the last one. Each greets, asks
// for STARTTLS, shakes hands, greets and goes, over and over on a few connections at once: in clear, with whole handshakes, and with
// resumed ones. Prints one JSON line.
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { systemClock } from "../../src/base/clock.ts";
import { createMeter } from "../../src/base/meter.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Connect } from "../../src/deliver/connection.ts";
import { createDeliverMeter } from "../../src/deliver/metering.ts";
import { createOpen } from "../../src/deliver/open.ts";
import { createPhaseTimes } from "../../src/deliver/phaseTimes.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { attemptOrder } from "../../src/route/order.ts";
import type { Route } from "../../src/route/route.ts";
import { createTrust } from "../../src/route/trust.ts";
import { spreadOf } from "./table.ts";

export interface OpeningRate {
  /** Connections a second, and the CPU of one. */
  readonly perSecond: number;
  readonly cpuUs: number;
}

const manners = ["clear", "full", "resumed"] as const;
export type Manner = (typeof manners)[number];
const clients = ["bare", "ours"] as const;
type Client = (typeof clients)[number];
/** The median of all turns. */
export type OpeningRates = Readonly<Record<Manner, Readonly<Record<Client, OpeningRate>>>>;

const AT_ONCE = 10;
const TURNS = 5;
/** The runtime's compiler takes its time. */
const WARM_UP_TURNS = 3;

const [, , port = "", seconds = "4"] = process.argv;

/** Resolves once the server has said a whole reply. */
function reply(socket: Socket | TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (!/^\d{3} .*\r\n$/m.test(text)) return;
      socket.off("data", hear);
      resolve();
    };
    socket.on("data", hear);
    socket.once("error", reject);
  });
}

async function say(socket: Socket | TLSSocket, line: string): Promise<void> {
  socket.write(`${line}\r\n`);
  await reply(socket);
}

async function leave(socket: Socket | TLSSocket): Promise<void> {
  socket.end("QUIT\r\n");
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
}

/** Visits again and again, each worker on its own. */
type Visitor = () => Promise<void>;

function bareVisitor(manner: Manner): Visitor {
  let session: Buffer | undefined;
  return async () => {
    const socket = connect(Number(port), "127.0.0.1");
    await reply(socket);
    await say(socket, "EHLO bench.test");
    if (manner === "clear") return leave(socket);
    await say(socket, "STARTTLS");
    const secured = connectTls({ socket, rejectUnauthorized: false, ...(session && { session }) });
    if (manner === "resumed") secured.on("session", (given: Buffer) => (session = given));
    await new Promise((resolve, reject) => {
      secured.once("secureConnect", resolve);
      secured.once("error", reject);
    });
    await say(secured, "EHLO bench.test");
    await leave(secured);
  };
}

const clock = systemClock;
const random = systemRandom;
const meter = createDeliverMeter(createMeter(boundsOf));
const times = createPhaseTimes();
const trust = createTrust();
const connectKnowing = createSocketConnect({ clock, trust });
/** Each connection is the first to its host, so there is nothing to resume. */
const connectAnew: Connect = (...args) => createSocketConnect({ clock, trust })(...args);
const { signal } = new AbortController();

function ourVisitor(manner: Manner): Visitor {
  const open = createOpen({
    ...{ clock, random, meter, times, order: attemptOrder, settings: deliverDefaults },
    connect: manner === "full" ? connectAnew : connectKnowing,
    log() {},
    isRecording: () => true,
  });
  const route: Route = {
    ...{ site: "bench", via: "mx", port: Number(port), implicitTls: false, login: null },
    hosts: [{ name: "mx.bench.test", preference: 10, addresses: ["127.0.0.1"] }],
    tls: manner === "clear" ? "off" : "required",
  };
  return async () => {
    const opened = await open({ route, urgency: 1, avoidedUntil: () => 0, signal });
    if (opened.kind === "failed") throw new Error(JSON.stringify(opened.tried));
    opened.link.talk.quit();
  };
}

async function rate(client: Client, manner: Manner): Promise<OpeningRate> {
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + (Number(seconds) * 1000) / TURNS;
  let count = 0;
  const worker = async (): Promise<void> => {
    const visit = client === "bare" ? bareVisitor(manner) : ourVisitor(manner);
    for (; performance.now() < endMs; count++) await visit();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { user, system } = process.cpuUsage(cpuBefore);
  const perSecond = (count * 1000) / (performance.now() - startMs);
  return { perSecond, cpuUs: (user + system) / count };
}

async function measure(): Promise<OpeningRates> {
  const all = manners.map((manner) => [manner, { bare: [], ours: [] }] as const);
  const taken = Object.fromEntries(all) as unknown as Record<Manner, Record<Client, OpeningRate[]>>;
  for (let turn = -WARM_UP_TURNS; turn < TURNS; turn++)
    for (const manner of manners)
      for (const client of clients) {
        const one = await rate(client, manner);
        if (turn >= 0) taken[manner][client].push(one);
      }
  const middle = (rates: readonly OpeningRate[]): OpeningRate => ({
    perSecond: spreadOf(rates.map(({ perSecond }) => perSecond)).median,
    cpuUs: spreadOf(rates.map(({ cpuUs }) => cpuUs)).median,
  });
  const medians = manners.map((manner) => {
    const { bare, ours } = taken[manner];
    return [manner, { bare: middle(bare), ours: middle(ours) }] as const;
  });
  return Object.fromEntries(medians) as unknown as OpeningRates;
}

console.log(JSON.stringify(await measure()));
