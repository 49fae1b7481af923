// The bounds that show only under load or on a bad disk: the budget of bodies, slow bodies, a full disk.
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { Clock } from "../../src/base/clock.ts";
import { createBodyReader } from "../../src/submit/body.ts";
import { createBudget } from "../../src/submit/budget.ts";
import { decodeCbor, encodeCbor } from "../../src/submit/cbor.ts";
import { createTurns } from "../../src/submit/turns.ts";
import { createSpool } from "../../src/submit/spool.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Fixture, createFixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture | undefined;
afterEach(() => fixture?.close());

describe("the budget", () => {
  test("grants at once what fits, and the rest in order as it is given back", async () => {
    const budget = createBudget(100);
    expect(budget.take(60)).toBeUndefined();
    const order: string[] = [];
    const large = budget.take(80)?.then(() => order.push("large"));
    const small = budget.take(10)?.then(() => order.push("small"));
    await Promise.resolve();
    expect(order).toEqual([]);
    budget.release(60);
    await Promise.all([large, small]);
    expect(order).toEqual(["large", "small"]);
    budget.release(80);
    budget.release(10);
    expect(budget.used()).toBe(0);
  });

  test("a body that is larger than all of it passes alone", () => {
    const budget = createBudget(100);
    expect(budget.take(500)).toBeUndefined();
    expect(budget.take(1)).toBeInstanceOf(Promise);
  });
});

/** Time that moves only by hand. */
function createHandClock() {
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((one) => one !== timer)) };
    },
    soon: (run) => queueMicrotask(run),
  };
  const advance = (ms: number): void => {
    nowMs += ms;
    const due = timers.filter((one) => one.atMs <= nowMs);
    timers = timers.filter((one) => one.atMs > nowMs);
    for (const timer of due) timer.run();
  };
  return { clock, advance, armed: () => timers.length };
}

const small = createBudget(1000);
const working = createBudget(1_000_000);
/** Only forms need one. */
const turns = createTurns({ monotonicMs: () => 0 });
const spool = { scratch: () => Promise.reject(new Error("nothing is stored here")) };

function post(body: ReadableStream<Uint8Array>): Request {
  return new Request("http://door.test/send", { method: "POST", body });
}

function readerWith(large: ReturnType<typeof createBudget>, clock: Clock, limitBytes = 1000) {
  return createBodyReader({ limitBytes, small, working, large, clock, spool, turns });
}

describe("a slow body", () => {
  test("is given up, and held no share of the budget while it came", async () => {
    const { clock, advance, armed } = createHandClock();
    const budget = createBudget(1000);
    const stalled = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    const reading = readerWith(budget, clock).readText(post(stalled));
    while (armed() === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(budget.used()).toBe(0);
    advance(29_000);
    expect(armed()).toBe(1);
    advance(2000);
    expect(await reading).toMatchObject({ kind: "problem", problem: { name: "request_timeout" } });
    expect(armed()).toBe(0);
  });

  test("is given up as well when it is read in one piece", async () => {
    const { clock, advance, armed } = createHandClock();
    const budget = createBudget(1_000_000);
    const stalled = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
    const headers = { "content-length": "500000" };
    const reading = readerWith(budget, clock, 1_000_000).readText(
      new Request("http://door.test/send", { method: "POST", headers, body: stalled }),
    );
    while (armed() === 0) await new Promise((resolve) => setImmediate(resolve));
    advance(61_000);
    expect(await reading).toMatchObject({ kind: "problem", problem: { name: "request_timeout" } });
    expect(budget.used()).toBe(0);
    expect(armed()).toBe(0);
  });

  test("is whole before it waits for the memory that others hold", async () => {
    const { clock } = createHandClock();
    const budget = createBudget(10);
    const reader = readerWith(budget, clock);
    const body = (length: number) =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(length));
          controller.close();
        },
      });
    const first = await reader.readBytes(post(body(8)));
    let isRead = false;
    const second = reader.readBytes(post(body(5))).finally(() => void (isRead = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([budget.used(), isRead]).toEqual([8, false]);
    if (first.kind === "ok") first.value.release();
    expect(await second).toMatchObject({ kind: "ok" });
    expect(budget.used()).toBe(5);
  });
});

test("a body of many messages is charged until they are committed, and not while it comes", async () => {
  const { clock } = createHandClock();
  const large = createBudget(1_000_000);
  const reader = readerWith(large, clock, 1_000_000);
  const feed = Promise.withResolvers<void>();
  const text = "x".repeat(600_000);
  const request = (): Request =>
    new Request("http://door.test/send/batch", {
      method: "POST",
      headers: { "content-length": String(text.length) },
      body: text,
    });
  const slow = new Request("http://door.test/send/batch", {
    method: "POST",
    headers: { "content-length": "300000" },
    body: new ReadableStream<Uint8Array>({
      async pull(controller) {
        await feed.promise;
        controller.enqueue(new Uint8Array(300_000));
        controller.close();
      },
    }),
  });
  const reading = reader.readText(slow);
  expect([large.used(), working.used()]).toEqual([300_000, 0]);
  const first = await reader.readText(request());
  expect([large.used(), working.used()]).toEqual([300_000, 600_000]);
  let isRead = false;
  const second = reader.readText(request()).finally(() => void (isRead = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect([working.used(), isRead]).toEqual([600_000, false]);
  if (first.kind === "ok") first.value.release();
  if (first.kind === "ok") first.value.release();
  const held = await second;
  feed.resolve();
  if (held.kind === "ok") held.value.release();
  const last = await reading;
  expect([large.used(), working.used()]).toEqual([0, 300_000]);
  if (last.kind === "ok") last.value.release();
  expect(working.used()).toBe(0);
});

test("a small body does not wait for large ones", async () => {
  const { clock } = createHandClock();
  const large = createBudget(1000);
  void large.take(1000);
  const reader = readerWith(large, clock);
  const request = new Request("http://door.test/send", {
    method: "POST",
    headers: { "content-length": "2" },
    body: "{}",
  });
  expect(await reader.readText(request)).toMatchObject({ kind: "ok", value: { value: "{}" } });
});

describe("a full disk", () => {
  const large = { ...message, text: "A line of text.\n".repeat(30_000) };

  function failing(code: string) {
    const made: Fixture = createFixture({
      spool: {
        read: async () => undefined,
        scratch: () => Promise.reject(Object.assign(new Error(code), { code })),
        async create() {
          const file = await createSpool(made.spoolFolder, seededRandom(2)).create();
          const write = async (): Promise<void> => {
            throw Object.assign(new Error(`${code}: the disk says no`), { code });
          };
          return { ...file, write };
        },
      },
    });
    return made;
  }

  test("is 503 with a time to wait, and leaves nothing behind", async () => {
    fixture = failing("ENOSPC");
    const response = await fixture.post("/send", large);
    expect([response.status, (await problemOf(response)).name]).toEqual([503, "disk_low"]);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    const lines = "A line of text.\r\n".repeat(30_000);
    const raw = await fixture.post(
      "/send",
      `From: a@example.com\r\nTo: b@example.org\r\n\r\n${lines}`,
      {
        "content-type": "message/rfc822",
      },
    );
    expect([raw.status, (await problemOf(raw)).name]).toEqual([503, "disk_low"]);
    expect(readdirSync(fixture.spoolFolder)).toEqual([]);
    expect(fixture.calls).toEqual([]);
  });

  test("that fails otherwise is 500, said in the log, and promises nothing", async () => {
    fixture = failing("EIO");
    const response = await fixture.post("/send", large);
    expect([response.status, (await problemOf(response)).name]).toEqual([
      500,
      "internal_server_error",
    ]);
    expect(fixture.logged[0]).toContain("door.failed");
    expect(readdirSync(fixture.spoolFolder)).toEqual([]);
    expect(fixture.calls).toEqual([]);
  });
});

test("what CBOR encodes it decodes again, whatever it is", () => {
  const value = { a: [1, -1, 1.5, true, null, "ü😀"], b: new Uint8Array([0, 255]), c: { d: {} } };
  expect(decodeCbor(encodeCbor(value))).toEqual({ kind: "ok", value } as never);
});

describe("the values of a body", () => {
  const start = '{"from":"a@b.example","to":"c@d.example","subject":"x","text":"';
  const listed = (item: string, count: number): string =>
    `${start}y","attachments":[{"filename":"a","content":[${`${item},`.repeat(count)}${item}]}]}`;
  const refusalOf = async (body: string | Uint8Array, type = "application/json") => {
    fixture = createFixture();
    const headers = { "content-type": type, accept: "application/json" };
    const response = await fixture.post("/send", body, headers);
    return (await response.json()) as object;
  };
  const tooMany = { status: 413, name: "message_too_large", limit: "body_values" };

  test("are counted before anything is made of them", async () => {
    expect(await refusalOf(listed("7", 6_000_000))).toMatchObject(tooMany);
    expect(await refusalOf(listed("[]", 1_200_000))).toMatchObject(tooMany);
    expect(await refusalOf(listed('{"a":1}', 800_000))).toMatchObject(tooMany);
    // Counted, not parsed: it is no JSON.
    expect(await refusalOf(`[${"7,".repeat(6_000_001)}`)).toMatchObject(tooMany);
    const cbor = Buffer.concat([Buffer.from([0x9a]), Buffer.alloc(4), Buffer.alloc(6_000_001)]);
    cbor.writeUInt32BE(6_000_001, 1);
    const type = "application/cbor";
    expect(await refusalOf(cbor, type)).toMatchObject(tooMany);
  });

  test("are as many as an attachment needs, and what stands within a text is none", async () => {
    fixture = createFixture();
    const list = await fixture.post("/send", listed("7", 1_000_000));
    expect(list.status).toBe(202);
    const text = await fixture.post("/send", `${start}${'a,{[:\\"'.repeat(1_500_000)}"}`);
    expect(text.status).toBe(202);
    expect(await refusalOf(`${start}${",".repeat(7_000_000)}`)).toMatchObject({
      name: "invalid_json",
    });
  });
});
