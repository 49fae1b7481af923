// Receivers of webhooks as others write them, on loopback: they verify by packages that we did not write, and misbehave as a test says.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import type { Daemon } from "../fixtures/daemon.ts";
import type { Ends } from "./faultsRig.ts";
import { bodyOf, type Identity, serveHere } from "./hostRig.ts";

export interface Taken {
  /** Of the header. */
  readonly id: string;
  readonly path: string;
  readonly type: string;
  /** The number in the body. */
  readonly event: number;
  readonly email: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Answer = (response: ServerResponse, taken: Taken) => void;

export interface Receiver {
  readonly url: string;
  readonly port: number;
  /** Requests, whatever was answered. */
  readonly taken: Taken[];
  /** From now on. */
  answer: Answer;
}

export const fine: Answer = (response) => void response.end("ok");
export const hang: Answer = () => {};
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end(`said ${code}`);
/** Says that it is well, and then a byte now and then for ever. */
export const drip: Answer = (response) => {
  response.writeHead(200, { "content-length": "1000000" });
  const timer = setInterval(() => response.write("."), 10);
  response.on("close", () => clearInterval(timer));
};

/** By `https://localhost` with an identity, else in clear. */
export async function startReceiver(
  ends: Ends,
  answer: Answer,
  identity?: Identity,
): Promise<Receiver> {
  const taken: Taken[] = [];
  const hear = (request: IncomingMessage, response: ServerResponse): void => {
    void bodyOf(request).then((octets) => {
      const body = octets.toString();
      const {
        id: event,
        type,
        data,
      } = JSON.parse(body) as {
        id: number;
        type: string;
        data: { email_id: string };
      };
      const headers = request.headers as Record<string, string>;
      const one: Taken = {
        ...{ id: headers["webhook-id"] ?? "", path: request.url ?? "", type, event },
        ...{ email: data.email_id, headers, body },
      };
      taken.push(one);
      receiver.answer(response, one);
    });
  };
  const port = await serveHere(ends, hear, identity);
  const url = identity === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
  const receiver: Receiver = { url: `${url}/in`, port, taken, answer };
  return receiver;
}

/** Throws unless the package of Standard Webhooks believes it. */
export function verified(secret: string, { body, headers }: Taken): void {
  new Webhook(secret).verify(body, headers);
}

export interface Made {
  readonly id: string;
  readonly signing_secret: string;
}

export async function api<T>(
  daemon: Daemon,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const headers = { "content-type": "application/json" };
  const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
  const answer = await daemon.request(path, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}

export const subscribe = (daemon: Daemon, endpoint: string, events?: readonly string[]) =>
  api<Made>(
    daemon,
    "POST",
    "/webhooks",
    events === undefined ? { endpoint } : { endpoint, events },
  );
