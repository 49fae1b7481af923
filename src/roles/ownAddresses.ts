// The addresses that this host has at this moment, besides the loopback.
import { networkInterfaces } from "node:os";

export function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.filter(({ internal }) => !internal).map(({ address }) => address);
}
