// Whether this host has a way to anywhere else at all. A resolver on this host answers from memory when it has none, and that answer
// must not be taken for a network that is there.
import { readFileSync } from "node:fs";

/** True where it cannot be told. */
export function hasWayOut(read: (path: string) => string = readText): boolean {
  try {
    return hasDefault4(read("/proc/net/route")) || hasDefault6(read("/proc/net/ipv6_route"));
  } catch {
    return true;
  }
}

/** Destination and mask in hexadecimal, in the second and eighth column. */
function hasDefault4(table: string): boolean {
  return table.split("\n").some((line) => {
    const columns = line.split("\t");
    return columns[1] === "00000000" && columns[7] === "00000000";
  });
}

/** Destination, prefix length ... device. The kernel keeps a default that leads nowhere on the loopback device. */
function hasDefault6(table: string): boolean {
  return table.split("\n").some((line) => {
    const columns = line.trim().split(/\s+/);
    const isDefault = columns[0] === "0".repeat(32) && columns[1] === "00";
    return isDefault && columns.at(-1) !== "lo";
  });
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}
