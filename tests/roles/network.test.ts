// What this host knows of its own network: descriptors that are left, a way out, and how GET /queue shows the line.
import { expect, test } from "bun:test";
import { createDescriptors } from "../../src/roles/descriptors.ts";
import { withUplink } from "../../src/roles/uplink.ts";
import { hasWayOut } from "../../src/roles/wayOut.ts";

test("descriptors are scarce near the limit, and counted once a second", () => {
  let mono = 0;
  let used = 950;
  let counted = 0;
  const descriptors = createDescriptors(
    { monotonicMs: () => mono },
    { used: () => (counted++, used), limit: () => 1000 },
  );
  expect(descriptors.isScarce()).toBe(true);
  used = 10;
  expect(descriptors.isScarce()).toBe(true);
  mono = 1000;
  expect(descriptors.isScarce()).toBe(false);
  expect(counted).toBe(2);
});

test("where nothing is known of descriptors, none is missed", () => {
  expect(createDescriptors({ monotonicMs: () => 0 }).isScarce()).toBe(false);
});

const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
const nowhere6 = `${"0".repeat(32)} 00 ${"0".repeat(32)} 00 ${"0".repeat(32)} ffffffff 00000001 00000000 00200200 lo\n`;
const tables = (four: string, six: string) => (path: string) =>
  path.includes("ipv6") ? six : head + four;

test("a default route of either family is a way out, the kernel's own that leads nowhere is none", () => {
  const lan = "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
  const out = "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
  expect(hasWayOut(tables(lan, nowhere6))).toBe(false);
  expect(hasWayOut(tables(lan + out, nowhere6))).toBe(true);
  expect(hasWayOut(tables(lan, nowhere6 + nowhere6.replace(" lo", " eth0")))).toBe(true);
});

test("where routes cannot be read there is thought to be a way", () => {
  const unreadable = (): string => {
    throw new Error("no such file");
  };
  expect(hasWayOut(unreadable)).toBe(true);
});

test("the line is shown with the queue and with nothing else", async () => {
  const uplink = { state: "down", since: "2026-01-01T00:00:00.000Z", detail: "why" } as const;
  const ask = withUplink(
    (query) => Promise.resolve({ kind: "found", view: { asked: query.ask } }),
    () => uplink,
  );
  expect(await ask({ ask: "queue" })).toEqual({ kind: "found", view: { asked: "queue", uplink } });
  expect(await ask({ ask: "raw", id: "1" })).toEqual({ kind: "found", view: { asked: "raw" } });
});
