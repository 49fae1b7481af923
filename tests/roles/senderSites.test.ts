// What a sender tells of its sites: all of them with their phases, and of very many those that have most to do.
import { expect, test } from "bun:test";
import type { SenderSite } from "../../src/deliver/siteBook.ts";
import { sitesOf } from "../../src/roles/handlers/sender.ts";

function siteOf(site: string, waiting: number): SenderSite {
  return { site, waiting, running: 0, limits: {} } as unknown as SenderSite;
}

test("one site is told by its name, with its phases", () => {
  const sender = {
    sites: () => [siteOf("a.test", 1), siteOf("b.test", 2)],
    phases: (site: string) => [{ phase: site, replies: 1, p50_ms: 1, p95_ms: 1 }],
  };
  const told = sitesOf(sender, "b.test") as readonly object[];
  expect(told).toMatchObject([{ site: "b.test", waiting: 2, phases: [{ phase: "b.test" }] }]);
  expect(sitesOf(sender, null)).toHaveLength(2);
});

test("of thousands the busiest three hundred are told, and of no others are percentiles made", () => {
  const asked: string[] = [];
  const sender = {
    sites: () => Array.from({ length: 5000 }, (_, i) => siteOf(`s${i}.test`, i)),
    phases(site: string) {
      asked.push(site);
      return [];
    },
  };
  expect(sitesOf(sender, null)).toHaveLength(300);
  expect([asked.length, asked.includes("s4999.test"), asked.includes("s0.test")]).toEqual([
    ...[300, true, false],
  ]);
});
