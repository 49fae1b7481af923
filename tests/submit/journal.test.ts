// GET /journal and /log-level: what is asked reaches the daemon, and what makes no sense is told.
import { expect, test } from "bun:test";
import { showLogLevels } from "../../src/base/log.ts";
import type { JournalFilter } from "../../src/mail/journal.ts";
import { createFixture, KEY, loopback } from "./doorFixture.ts";

const url = (path: string): string => `http://127.0.0.1:8250${path}`;
const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };

function stage() {
  const asked: JournalFilter[] = [];
  const set: [string, number | null][] = [];
  const { door } = createFixture({
    journal: async (filter) => {
      asked.push(filter);
      return { object: "list", has_more: false, data: [] };
    },
    logLevel: {
      view: () => ({ object: "log_level", level: "info", until: null }),
      set(levels, forMs) {
        set.push([showLogLevels(levels), forMs]);
        return { object: "log_level", level: showLogLevels(levels), until: null };
      },
    },
  });
  const get = async (path: string) => door.fetch(new Request(url(path), { headers }), loopback);
  const post = async (path: string, body: object) =>
    door.fetch(
      new Request(url(path), { method: "POST", headers, body: JSON.stringify(body) }),
      loopback,
    );
  return { asked, set, get, post };
}

test("a filter of the journal reaches it as instants and keys", async () => {
  const { asked, get } = stage();
  const query =
    "since=2026-11-23T03:00:00Z&until=2026-11-23T05:00:00%2B01:00&event=uplink,queue.order&limit=7";
  expect((await get(`/journal?${query}`)).status).toBe(200);
  expect(asked).toEqual([
    {
      since: Date.parse("2026-11-23T03:00:00Z"),
      until: Date.parse("2026-11-23T04:00:00Z"),
      ...{ events: ["uplink", "queue.order"], limit: 7 },
    },
  ]);
  await get("/journal");
  expect(asked[1]).toEqual({ events: [], limit: 200 });
});

test.each([
  "since=03:00",
  "until=yesterday",
  "event=nothing",
  "limit=0",
  "limit=1001",
  "limit=1e2",
  "from=x",
])("%p is told as wrong", async (query) => {
  const { asked, get } = stage();
  expect((await get(`/journal?${query}`)).status).toBe(422);
  expect(asked).toEqual([]);
});

test("the level of the log is shown and set, for a while or for good", async () => {
  const { set, get, post } = stage();
  expect(await (await get("/log-level")).json()).toMatchObject({ level: "info" });
  expect((await post("/log-level", { level: "info,mail=debug", for_seconds: 600 })).status).toBe(
    200,
  );
  expect((await post("/log-level", { level: "warn" })).status).toBe(200);
  expect(set).toEqual([
    ["info,mail=debug", 600_000],
    ["warn", null],
  ]);
  const wrong = [{}, { level: "loud" }, { level: 5 }, { level: "info", for_seconds: 0 }];
  for (const body of wrong) expect((await post("/log-level", body)).status).toBe(422);
  expect(set).toHaveLength(2);
});
