// The receiving server as a program: `postrider sink`. Sockets around the dialogue, a tally, and a
// second port that tells the tally.
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import { systemClock, type Clock } from "../base/clock.ts";
import { systemRandom, type Random } from "../base/random.ts";
import { selfSigned, type Certificate } from "./certificate.ts";
import { serve, type Connection } from "./connection.ts";
import { createDialogue, createSinkMemory, type DialogueOptions, type Taken } from "./dialogue.ts";
import { createTally, type Tally } from "./tally.ts";

export interface Listen {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface SinkOptions {
  readonly listen: Listen;
  /** Where `GET /stats`, `GET /counts` and `POST /reset` are answered; absent: nowhere. */
  readonly stats?: Listen | undefined;
  /** `starttls` offers it, `implicit` speaks it from the first byte. */
  readonly tls?: "starttls" | "implicit" | undefined;
  readonly certificate?: Certificate | undefined;
  readonly hostname?: string | undefined;
  readonly login?: DialogueOptions["login"];
  readonly faults?: DialogueOptions["faults"];
  readonly delaysMs?: DialogueOptions["delaysMs"];
  readonly sizeMax?: number | undefined;
  /** Every message is written here as `N.eml`, its envelope beside it as `N.json`. */
  readonly dumpDir?: string | undefined;
  readonly onTaken?: ((taken: Taken) => void) | undefined;
  /** False: `onTaken` does not look at what was in it. */
  readonly keepsContent?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export interface Sink {
  readonly port: number;
  /** 0 when there is no such port. */
  readonly statsPort: number;
  readonly tally: Tally;
  openConnections(): number;
  stop(): Promise<void>;
}

const DAY_MS = 86_400_000;
const KEPT_WHOLE_BYTES = 64_000_000;
const BACKLOG = 1_024;

export async function startSink(options: SinkOptions): Promise<Sink> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  const { hostname = "sink.test", tls } = options;
  const certificate =
    tls === undefined ? null : (options.certificate ?? freshCertificate(hostname, clock.now()));
  const secureContext = certificate === null ? null : createSecureContext(certificate);
  const tally = createTally(() => clock.monotonicMs());
  const dump = options.dumpDir === undefined ? null : createDump(options.dumpDir);
  const memory = createSinkMemory();
  const isRead = options.onTaken !== undefined && options.keepsContent !== false;
  const keptBytes = dump !== null || isRead ? KEPT_WHOLE_BYTES : undefined;
  const open = new Set<Connection>();
  let emptied = (): void => {};
  const take = (taken: Taken): void => {
    tally.took(taken);
    dump?.(taken);
    options.onTaken?.(taken);
  };

  const accept = (socket: Socket): void => {
    tally.connected();
    const dialogue = createDialogue({
      ...options,
      clock,
      random,
      memory,
      hostname,
      keptBytes,
      offersTls: tls === "starttls",
      secure: tls === "implicit",
    });
    const closed = (): void => {
      open.delete(connection);
      if (open.size === 0) emptied();
    };
    const connection = serve(socket, { clock, dialogue, secureContext, take, closed });
    open.add(connection);
  };

  const server =
    tls === "implicit" && certificate !== null
      ? createTlsServer({ ...certificate }, accept)
      : createServer(accept);
  await listening(server, options.listen);
  const stats = options.stats === undefined ? null : createStats(tally);
  if (stats !== null && options.stats !== undefined) await listening(stats, options.stats);
  return {
    port: portOf(server),
    statsPort: stats === null ? 0 : portOf(stats),
    tally,
    openConnections: () => open.size,
    async stop() {
      const ends = [ended(server), ...(stats === null ? [] : [ended(stats)])];
      stats?.closeAllConnections();
      if (open.size > 0) ends.push(new Promise<void>((resolve) => (emptied = resolve)));
      for (const connection of open) connection.destroy();
      await Promise.all(ends);
    },
  };
}

function freshCertificate(hostname: string, now: number): Certificate {
  const notBefore = new Date(now - DAY_MS);
  const notAfter = new Date(now + 365 * DAY_MS);
  return selfSigned({ hostname, notBefore, notAfter });
}

function listening(server: Server | HttpServer, { host, port }: Listen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function portOf(server: Server | HttpServer): number {
  return (server.address() as AddressInfo).port;
}

function ended(server: Server | HttpServer): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** `/counts` is one line a pair: id, recipient, times taken. */
function createStats(tally: Tally): HttpServer {
  return createHttpServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    if (asked === "POST /reset") tally.reset();
    if (asked === "GET /counts") {
      response.setHeader("content-type", "text/plain; charset=utf-8");
      const lines = [...tally.counts()].map(([key, count]) => `${key} ${count}\n`);
      return void response.end(lines.join(""));
    }
    if (asked !== "GET /stats" && asked !== "POST /reset") {
      response.statusCode = 404;
      return void response.end();
    }
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(tally.summary())}\n`);
  });
}

function createDump(dir: string): (taken: Taken) => void {
  mkdirSync(dir, { recursive: true });
  let count = 0;
  return (taken) => {
    const name = join(dir, String(++count).padStart(6, "0"));
    const { from, recipients, helo, secure, id, complaints } = taken;
    writeFileSync(`${name}.eml`, taken.content());
    writeFileSync(
      `${name}.json`,
      `${JSON.stringify({ from, recipients, helo, secure, id, complaints })}\n`,
    );
  };
}
