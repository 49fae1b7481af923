// The addresses that this host has at this moment.
import { networkInterfaces } from "node:os";
import { inRanges, parseCidr } from "../base/cidr.ts";
import type { Log } from "../base/log.ts";

interface OwnAddress {
  readonly address: string;
  /** Of the loopback. */
  readonly internal: boolean;
}

function all(): OwnAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
}

/** By which others may know this host: all but the loopback's. */
export function ownAddresses(): string[] {
  return all()
    .filter(({ internal }) => !internal)
    .map(({ address }) => address);
}

/**
 * An address to send from that is not there now may come later, with a lease or a failover, so it is no error of the settings; its
 * mail leaves from the others meanwhile.
 */
export function warnOfStrangers(sources: readonly { readonly address: string }[], log: Log): void {
  for (const { address } of sources) {
    const range = parseCidr(address);
    // The whole of 127.0.0.0/8 is this host's on Linux, and only one of it is listed.
    if (address.startsWith("127.") || range === undefined) continue;
    if (all().some((own) => inRanges([range], own.address.replace(/%.*$/, "")))) continue;
    const remedy = "add it to an interface, or take it out of [[source]]";
    log("warn", "source.not_here", { address, remedy });
  }
}
