// GET /figures, /figures/stream and /sites as the door answers them: resumed where the reader was, bounded, and ended with its key.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { FigurePoint, FiguresView, SiteFigure } from "../../src/mail/figures.ts";
import type { FiguresDesk } from "../../src/submit/figures.ts";
import { createFixture, type Fixture, KEY, network, problemOf } from "./doorFixture.ts";

const AT = "2026-11-23T12:00:00.000Z";

function pointAt(id: number): FigurePoint {
  return {
    ...{ id, at: AT, accepted_per_second: id, delivered_per_second: 0, deferred_per_second: 0 },
    ...{ bounced_per_second: 0, refused_per_second: 0, accept_p50_ms: null, accept_p99_ms: null },
    ...{ delivery_p50_ms: null, delivery_p99_ms: null, queued: 0 },
  };
}

function createDesk() {
  const points = [pointAt(1), pointAt(2), pointAt(3)];
  const waiting = new Set<(more: boolean) => void>();
  const desk: FiguresDesk & { sitesSaid: readonly SiteFigure[] | null } = {
    sitesSaid: [],
    async view(after) {
      const history = points.filter(({ id }) => after === undefined || id > after);
      return { object: "figures", now: points.at(-1), history } as unknown as FiguresView;
    },
    nextPoint: (signal) =>
      new Promise((resolve) => {
        waiting.add(resolve);
        signal.addEventListener("abort", () => resolve(false), { once: true });
      }),
    sites: async () => desk.sitesSaid,
  };
  return {
    desk,
    waiting,
    add(...ids: readonly number[]) {
      points.push(...ids.map(pointAt));
      for (const resolve of waiting) resolve(true);
      waiting.clear();
    },
    end() {
      for (const resolve of waiting) resolve(false);
    },
  };
}

let stage: ReturnType<typeof createDesk>;
let fixture: Fixture;
beforeEach(() => {
  stage = createDesk();
  fixture = createFixture({ figures: stage.desk });
});
afterEach(() => fixture.close());

/** Reads one event at a time. */
function readerOf(response: Response) {
  const reader = response.body!.getReader();
  return {
    async next(): Promise<{ id: string; view: FiguresView; text: string } | null> {
      const { done, value } = await reader.read();
      if (done) return null;
      const text = new TextDecoder().decode(value);
      const data = /^data: (.*)$/m.exec(text)?.[1] ?? "null";
      return { id: /^id: (.*)$/m.exec(text)?.[1] ?? "", view: JSON.parse(data), text };
    },
    cancel: () => reader.cancel(),
  };
}
const idsOf = (view: FiguresView | undefined): number[] => view?.history.map(({ id }) => id) ?? [];

test("figures come with their whole history", async () => {
  const view = (await (await fixture.get("/figures")).json()) as FiguresView;
  expect(idsOf(view)).toEqual([1, 2, 3]);
  expect(view.now?.id).toBe(3);
});

test("a stream begins with the last point and goes on with each new one", async () => {
  const response = await fixture.get("/figures/stream");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const reader = readerOf(response);
  const first = await reader.next();
  expect([first?.id, idsOf(first?.view)]).toEqual(["3", [3]]);
  expect(first?.text).toStartWith("retry: 1000\n");
  const second = reader.next();
  stage.add(4);
  expect(idsOf((await second)?.view)).toEqual([4]);
  await reader.cancel();
});

test("who comes again gets what it missed, by the header before the address", async () => {
  const header = await fixture.get("/figures/stream?after=2", { "last-event-id": "1" });
  const reader = readerOf(header);
  expect(idsOf((await reader.next())?.view)).toEqual([2, 3]);
  await reader.cancel();
  const address = readerOf(await fixture.get("/figures/stream?after=2"));
  expect(idsOf((await address.next())?.view)).toEqual([3]);
  await address.cancel();
});

test("who reads slowly gets the points between in one event", async () => {
  const reader = readerOf(await fixture.get("/figures/stream"));
  await reader.next();
  const next = reader.next();
  stage.add(4);
  await next;
  stage.add(5);
  stage.add(6);
  const late = reader.next();
  stage.add(7);
  expect(idsOf((await late)?.view)).toEqual([5, 6, 7]);
  await reader.cancel();
});

test("the daemon's end is the stream's end", async () => {
  const reader = readerOf(await fixture.get("/figures/stream"));
  await reader.next();
  const last = reader.next();
  stage.end();
  expect(await last).toBeNull();
});

test("a hundred streams are open at one time, and one that ends makes room", async () => {
  const open = await Promise.all(Array.from({ length: 100 }, () => fixture.get("/figures/stream")));
  const refused = await fixture.get("/figures/stream");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect((await problemOf(refused)).name).toBe("busy");
  await open[0]?.body?.cancel();
  const taken = await fixture.get("/figures/stream");
  expect(taken.status).toBe(200);
  await Promise.all([taken, ...open.slice(1)].map((one) => one.body?.cancel()));
});

test("who leaves before the first word holds no place", async () => {
  for (let i = 0; i < 150; i++) {
    const gone = new AbortController();
    const request = new Request("http://door.test/figures/stream", {
      headers: { authorization: `Bearer ${KEY}` },
      signal: gone.signal,
    });
    expect((await fixture.door.fetch(request, network)).status).toBe(200);
    gone.abort();
  }
});

test("who asks for the headers of a stream holds no place", async () => {
  const headers = { authorization: `Bearer ${KEY}` };
  for (const path of ["/figures/stream", "/trace?domain=example.com"])
    for (let i = 0; i < 120; i++) {
      const request = new Request(`http://door.test${path}`, { method: "HEAD", headers });
      const response = await fixture.door.fetch(request, network);
      expect([path, i, response.status, response.body]).toEqual([path, i, 200, null]);
    }
  expect(fixture.traces.every(({ closed }) => closed)).toBe(true);
});

test("sites are a list with a bound", async () => {
  stage.desk.sitesSaid = ["a", "b", "c"].map((site) => ({ site }) as SiteFigure);
  const shown = async (query: string): Promise<unknown> =>
    (await (await fixture.get(`/sites${query}`)).json()) as unknown;
  expect(await shown("")).toEqual({
    ...{ object: "list", has_more: false },
    data: [{ site: "a" }, { site: "b" }, { site: "c" }],
  });
  expect(await shown("?limit=2")).toMatchObject({ has_more: true, data: [{}, {}] });
  expect(await shown("?site=b")).toMatchObject({ data: [{ site: "b" }] });
  expect(await shown("?site=nowhere")).toMatchObject({ data: [] });
});

test("what is wrong with the address is told", async () => {
  for (const path of [
    "/sites?limit=0",
    "/sites?limit=301",
    "/sites?limit=1e1",
    "/sites?limit=1&limit=2",
    "/sites?which=a",
    "/figures/stream?after=-1",
    "/figures/stream?since=1",
  ])
    expect([path, (await fixture.get(path)).status]).toEqual([path, 422]);
  const header = await fixture.get("/figures/stream", { "last-event-id": "x" });
  expect((await problemOf(header)).detail).toContain("Last-Event-ID");
});

test("a thread that does not answer is 503, to be asked again", async () => {
  stage.desk.sitesSaid = null;
  const response = await fixture.get("/sites");
  expect([response.status, response.headers.has("retry-after")]).toEqual([503, true]);
});

test("without a key nothing is told", async () => {
  for (const path of ["/figures", "/figures/stream", "/sites"])
    expect((await fixture.door.fetch(new Request(`http://door.test${path}`), network)).status).toBe(
      401,
    );
});
