// Where the requests of a load go: a daemon's address, or the socket of its data folder.
import { accessSync } from "node:fs";
import type { Target } from "../../commands/daemonClient.ts";
import type { Place } from "../../stress/socket.ts";

export interface At {
  readonly at: Place;
  readonly host: string;
  readonly path: string;
  readonly key: string;
}

/** Undefined: no such socket. */
export function placeOf(target: Target): At | undefined {
  if (target.kind === "socket") {
    const path = target.paths.find(isThere);
    if (path === undefined) return undefined;
    return { at: { kind: "socket", path }, host: "postrider", path: "/send", key: "" };
  }
  const url = new URL(target.url);
  const kind = url.protocol === "https:" ? "tls" : "tcp";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? (kind === "tls" ? 443 : 80) : Number(url.port);
  const path = `${url.pathname.replace(/\/+$/, "")}/send`;
  return { at: { kind, host, port }, host: url.host, path, key: target.key };
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
