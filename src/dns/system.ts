// The two files in which a host says how names are resolved. A file that cannot be read is as an empty one.
import { readFileSync } from "node:fs";
import { parseHosts, parseResolvConf, type Hosts, type Server } from "./servers.ts";

export function systemResolvConf(path = "/etc/resolv.conf"): readonly Server[] {
  return parseResolvConf(textOf(path));
}

export function systemHosts(path = "/etc/hosts"): Hosts {
  return parseHosts(textOf(path));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
