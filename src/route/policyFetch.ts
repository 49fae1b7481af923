// Fetches an MTA-STS policy (RFC 8461 3.3) and can do nothing else: one GET to a name that the domain chose, resolved by our own DNS,
// never to a denied address, only to a server that proves the name, one small text, within one deadline, and no redirect.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import { inRanges, type Cidr } from "../base/cidr.ts";
import type { Clock } from "../base/clock.ts";
import type { Lookup } from "../dns/answer.ts";
import { readHttpReply, REPLY_BYTES_MAX } from "./httpReply.ts";
import type { FetchedPolicy, FetchPolicy } from "./stsBook.ts";

export interface PolicyFetchDeps {
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** The setting `deny_destinations`, as it is now. */
  deny(): readonly Cidr[];
  /** With the authorities that count (`tls_ca_file`). */
  context(): SecureContext;
  /** 443; another one in laboratories. */
  port(): number;
  readonly deadlineMs?: number;
}

/** RFC 8461 3.3 suggests a minute for the whole of it. */
const DEADLINE_MS = 60_000;
/** Addresses of one server that are tried, and how long each may take to answer the call. */
const ADDRESSES_MAX = 4;
const CONNECT_MS = 15_000;

export function createPolicyFetch(deps: PolicyFetchDeps): FetchPolicy {
  return async (domain) => {
    const deadline = new AbortController();
    const timer = deps.clock.after(deps.deadlineMs ?? DEADLINE_MS, () => deadline.abort());
    try {
      const host = `mta-sts.${domain}`;
      const addresses = await addressesOf(deps, host);
      if (typeof addresses === "string") return failed(addresses);
      let why = "no address answers";
      for (const address of addresses) {
        const socket = await dial(deps, { address, port: deps.port() }, deadline.signal);
        if (typeof socket !== "string") return await get(deps, socket, host, deadline.signal);
        why = socket;
        if (deadline.signal.aborted) break;
      }
      return failed(why);
    } finally {
      timer.cancel();
    }
  };
}

function failed(why: string): FetchedPolicy {
  return { kind: "failed", why };
}

/** Both families in turn, best first; or why there is none. */
async function addressesOf(deps: PolicyFetchDeps, host: string): Promise<string[] | string> {
  const answers = await Promise.all([deps.lookup("AAAA", host), deps.lookup("A", host)]);
  const found = answers.map((answer) => (answer.kind === "found" ? answer.records : []));
  const [v6 = [], v4 = []] = found;
  const all = [...v6, ...v4];
  if (all.length === 0) return `${host} has no address`;
  const deny = deps.deny();
  const rank = (address: string): number =>
    Math.max(v6.indexOf(address), v4.indexOf(address)) + (v4.includes(address) ? 0.5 : 0);
  const allowed = all.filter((address) => !inRanges(deny, address));
  if (allowed.length === 0) return `deny_destinations forbids ${all[0]}`;
  return allowed.sort((a, b) => rank(a) - rank(b)).slice(0, ADDRESSES_MAX);
}

function dial(
  { clock }: PolicyFetchDeps,
  { address, port }: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: address, port });
    const settle = (result: Socket | string): void => {
      timer.cancel();
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      if (typeof result === "string") socket.destroy();
      resolve(result);
    };
    const giveUp = (): void => settle(`${address} does not answer in time`);
    const timer = clock.after(CONNECT_MS, giveUp);
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("connect", () => settle(socket));
    socket.once("error", (error) => settle(`${address}: ${error.message}`));
  });
}

function get(
  deps: PolicyFetchDeps,
  raw: Socket,
  host: string,
  signal: AbortSignal,
): Promise<FetchedPolicy> {
  return new Promise((resolve) => {
    const socket = connectTls({
      socket: raw,
      servername: host,
      secureContext: deps.context(),
      // The name is judged below: the runtime would believe a common name too, which RFC 8461 3.3 does not.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ALPNProtocols: ["http/1.1"],
    });
    let reply = Buffer.alloc(0);
    const settle = (fetched: FetchedPolicy): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.destroy();
      raw.destroy();
      resolve(fetched);
    };
    const giveUp = (): void => settle(failed(`${host} did not answer in time`));
    const read = (ended: boolean): void => {
      const result = readHttpReply(reply, ended);
      if (result.kind === "text") settle({ kind: "text", text: result.text });
      else if (result.kind === "bad") settle(failed(result.why));
      else if (reply.length > REPLY_BYTES_MAX) settle(failed("the reply has no end"));
    };
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerX509Certificate();
      if (!socket.authorized)
        return settle(
          failed(`the certificate proves nothing: ${String(socket.authorizationError)}`),
        );
      if (certificate?.checkHost(host, { subject: "never" }) === undefined)
        return settle(failed(`the certificate does not name ${host}`));
      socket.on("data", (chunk: Buffer) => {
        reply = Buffer.concat([reply, chunk]);
        read(false);
      });
      socket.once("end", () => read(true));
      socket.write(
        `GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: ${host}\r\n` +
          "User-Agent: postrider\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
      );
    });
    socket.once("error", (error) => settle(failed(`${host}: ${error.message}`)));
    socket.once("close", () => read(true));
  });
}
