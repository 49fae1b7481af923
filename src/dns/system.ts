// The two files in which a host says how names are resolved. A file that cannot be read is as an empty one.
import { readFileSync, statSync } from "node:fs";
import { parseHosts, parseResolvConf, type Hosts, type Server } from "./servers.ts";

export function systemResolvConf(path = "/etc/resolv.conf"): readonly Server[] {
  return parseResolvConf(textOf(path));
}

export function systemHosts(path = "/etc/hosts"): Hosts {
  return parseHosts(textOf(path));
}

/** The hosts file each time as it is, read anew only when it has changed: an ad blocker's is long. */
export function followSystemHosts(path = "/etc/hosts"): () => Hosts {
  let stamp = stampOf(path);
  let hosts = systemHosts(path);
  return () => {
    const now = stampOf(path);
    if (now !== stamp) hosts = systemHosts(path);
    stamp = now;
    return hosts;
  };
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "none";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
