// What the queue thread tells of many sites at one time: those that are asked for, those that rest, and what somebody must mend.
import { expect, test } from "bun:test";
import type { Verdict } from "../../src/mail/verdict.ts";
import { createBench, HOUR, MINUTE } from "./bench.ts";

const throttled: Partial<Verdict> = {
  kind: "deferred",
  scope: "host",
  class: "rate",
  pause: { rule: "google.rate" },
};
const unsigned: Partial<Verdict> = {
  kind: "deferred",
  scope: "site",
  class: "authentication",
  alert: "google.authentication",
};

test("sites that are asked for are told as far as they are known, and those that rest anyway", () => {
  const bench = createBench();
  for (const site of ["busy", "quiet", "resting"]) bench.submit({ to: [`a@${site}.example`] });
  bench.run();
  const sent = (site: string) => bench.sent.find(({ job }) => job.site === `${site}.example`)!;
  bench.settle(sent("quiet"), { kind: "delivered" });
  bench.settle(sent("resting"), throttled);
  bench.run();
  const { sites } = bench.queue.survey(["busy.example", "nowhere.example"]);
  expect(sites.map(({ site, leased, paused_by: by }) => [site, leased, by])).toEqual([
    ["busy.example", 1, null],
    ["resting.example", 0, "google.rate"],
  ]);
  expect(bench.queue.survey([]).sites).toHaveLength(1);
});

test("what is ours to mend is told for an hour, with the server's words, once for each site and class", () => {
  const bench = createBench();
  bench.submit({ to: ["a@one.example"] });
  bench.run();
  bench.settle(bench.sent[0]!, unsigned);
  bench.run(MINUTE);
  const [alert, ...others] = bench.queue.survey([]).alerts;
  expect(others).toEqual([]);
  expect(alert).toMatchObject({
    site: "one.example",
    class: "authentication",
    rule: "google.authentication",
    text: expect.any(String) as string,
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
  });
  bench.queue.order({ do: "queue.pause", span: { by: "all" } }, () => {});
  bench.run(2 * HOUR);
  expect(bench.queue.survey([]).alerts).toEqual([]);
});
