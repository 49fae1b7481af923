// What was said in an attempt, asked for with its timeline: each recipient of a transaction is shown it, and nothing is where nothing
// was kept.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Conversation } from "../../src/mail/dialogue.ts";
import type { EventView } from "../../src/mail/eventView.ts";
import type { ListView } from "../../src/mail/query.ts";
import { packStep, withWaits } from "../../src/mail/timeline.ts";
import { attempt, createStage, NOW, type Stage, view } from "./stage.ts";
import { packed } from "../fixtures/dialogue.ts";

let stage: Stage;
beforeEach(() => void (stage = createStage()));
afterEach(() => stage.remove());

const said: Conversation = {
  ...{ session: "a1", host: "mx.example.com", address: "192.0.2.1", source: "", at: NOW },
  ...{ reused: false, dropped: 2 },
  exchanges: [
    { phase: "connect", sentMs: 0, tookMs: 3, sent: "", code: 0, reply: "connected" },
    {
      phase: "mail",
      sentMs: 4,
      tookMs: 2,
      sent: "MAIL FROM:<a@b.example>",
      code: 250,
      reply: "ok",
    },
  ],
};

async function eventsOf(id: string, smtp: boolean): Promise<readonly EventView[]> {
  const query = { ask: "events", id, ...(smtp ? { smtp } : {}) } as const;
  return (await view<ListView<EventView>>(stage.reader.ask(query))).data;
}

const smtpOf = (events: readonly EventView[]) =>
  events.map(({ type, data }) => [type, data.postrider.smtp]);

test("both recipients of a transaction are shown what one of them carries", async () => {
  const { id, uuid } = stage.accept({ to: ["ann@example.com", "bob@example.com"] });
  const step = attempt({ session: "a1" });
  stage.settle(id, { step, dialogue: packed([said]) });
  stage.settle(id, { n: 1, step });
  const shown = [
    {
      ...{ session: "a1", host: "mx.example.com", address: "192.0.2.1", source: null },
      ...{ at: new Date(NOW).toISOString(), reused: false, dropped: 2 },
      exchanges: [
        { phase: "connect", sent_ms: 0, took_ms: 3, sent: "", code: null, reply: "connected" },
        { ...{ phase: "mail", sent_ms: 4, took_ms: 2 }, ...mail },
      ],
    },
  ];
  expect(smtpOf(await eventsOf(uuid, true))).toEqual([
    ["email.sent", undefined],
    ["email.attempted", shown],
    ["email.delivered", undefined],
    ["email.attempted", shown],
    ["email.delivered", undefined],
  ]);
});

const mail = { sent: "MAIL FROM:<a@b.example>", code: 250, reply: "ok" };

test("an attempt of which nothing was kept says so, and another one at another time is not mixed up", async () => {
  const { id, uuid } = stage.accept();
  const waits = { at: "deferred", dueAt: NOW + 60_000, attempts: 1 } as const;
  stage.settle(id, {
    ...{ next: waits, event: "email.delivery_delayed", step: attempt({ session: "a1" }) },
    dialogue: packed([said]),
  });
  stage.settle(id, { step: attempt({ session: "a1", at: NOW + 60_000 }) });
  const attempts = smtpOf(await eventsOf(uuid, true)).filter(
    ([type]) => type === "email.attempted",
  );
  expect(attempts).toEqual([
    ["email.attempted", [expect.objectContaining({ session: "a1" })]],
    ["email.attempted", null],
  ]);
});

test("what kept an attempt waiting is told with it, since the step before", async () => {
  const { id, uuid } = stage.accept();
  const waits = [
    { from: NOW, until: NOW + 5_000, why: "the site rested" },
    { from: NOW + 4_000, until: NOW + 30_000, why: "our own line is down" },
  ];
  const deferred = { at: "deferred", dueAt: NOW + 60_000, attempts: 1 } as const;
  stage.settle(id, {
    next: deferred,
    event: "email.delivery_delayed",
    step: withWaits(attempt(), []),
  });
  stage.settle(id, {
    step: withWaits(attempt({ at: NOW + 60_000, signed: "s/k" }), waits.slice(1)),
  });
  const told = (await eventsOf(uuid, false)).map(({ data }) => data.postrider.waited);
  const iso = (at: number): string => new Date(at).toISOString();
  const second = [
    { from: iso(NOW + 4_000), until: iso(NOW + 30_000), why: "our own line is down" },
  ];
  expect(told).toEqual([undefined, undefined, undefined, second, second]);
  const other = stage.accept();
  stage.settle(other.id, {
    next: deferred,
    event: "email.delivery_delayed",
    step: attempt({ at: NOW + 6_000 }),
  });
  stage.settle(other.id, { step: withWaits(attempt({ at: NOW + 60_000 }), waits) });
  const clipped = (await eventsOf(other.uuid, false)).at(-1)?.data.postrider.waited;
  expect(clipped).toEqual([
    { from: iso(NOW + 6_000), until: iso(NOW + 30_000), why: "our own line is down" },
  ]);
});

test("a release, which has no event, is told with the attempt that follows it", async () => {
  const { id, uuid } = stage.accept();
  const note = (name: "held" | "released", at: number): string =>
    packStep({ kind: "note", at, note: name, doubt: false, text: "an operator's wish" });
  const waits = { at: "queued", dueAt: NOW, attempts: 0 } as const;
  const held = { at: "held", attempts: 0 } as const;
  stage.settle(id, { next: held, event: "email.held", step: note("held", NOW + 10) });
  // It was given another time meanwhile.
  stage.settle(id, { next: held, event: "email.held", step: note("held", NOW + 900) });
  stage.settle(id, { next: waits, event: null, step: note("released", NOW + 5_000) });
  stage.settle(id, { step: attempt({ at: NOW + 5_010 }) });
  const told = (await eventsOf(uuid, false)).at(-1)?.data.postrider.waited;
  const why = "held (an operator's wish), then released: an operator's wish";
  const [from, until] = [NOW + 10, NOW + 5_000].map((at) => new Date(at).toISOString());
  expect(told).toEqual([{ from: from ?? "", until: until ?? "", why }]);
});

test("who does not ask is told nothing of it", async () => {
  const { id, uuid } = stage.accept();
  stage.settle(id, { step: attempt({ session: "a1" }), dialogue: packed([said]) });
  for (const { data } of await eventsOf(uuid, false))
    expect(data.postrider).not.toHaveProperty("smtp");
});

test("of a transaction with many recipients each is told its own", async () => {
  const names = Array.from({ length: 30 }, (_, i) => `to${i}@example.com`);
  const { id, uuid } = stage.accept({ to: names });
  const rcpts = names.map((name) => ({
    ...{ phase: "rcpt", sentMs: 4, tookMs: 2, sent: `RCPT TO:<${name}> NOTIFY=NEVER` },
    ...{ code: 250, reply: "ok" },
  }));
  const dialogue = packed([{ ...said, exchanges: [...said.exchanges, ...rcpts] }]);
  for (const n of names.keys())
    stage.settle(id, { n, step: attempt({ session: "a1" }), ...(n === 0 ? { dialogue } : {}) });
  const told = (await eventsOf(uuid, true)).filter(({ type }) => type === "email.attempted");
  for (const { data } of told) {
    const { smtp, recipient } = data.postrider;
    expect(smtp?.[0]).toMatchObject({ dropped: 31 });
    expect(smtp?.[0]?.exchanges.map(({ sent }) => sent).slice(2)).toEqual([
      `RCPT TO:<${recipient}> NOTIFY=NEVER`,
    ]);
  }
  expect(told).toHaveLength(30);
});

test("many dialogues that are long do not make an answer without end", async () => {
  const names = Array.from({ length: 400 }, (_, i) => `to${i}@example.com`);
  const { id, uuid } = stage.accept({ to: names });
  const step = attempt({ session: "a1" });
  const long = {
    ...said,
    exchanges: said.exchanges.map((one) => ({ ...one, reply: "x".repeat(9_000) })),
  };
  stage.act(() => {
    for (const n of names.keys())
      stage.store.settle({
        ...{ message: id, n, claim: null, step, event: "email.delivered", at: NOW + 9 },
        next: { at: "delivered", endedAt: NOW + 9, attempts: 1 },
        ...(n === 0 ? { dialogue: packed([long]) } : {}),
      });
  });
  const kept = smtpOf(await eventsOf(uuid, true)).filter(([, smtp]) => Array.isArray(smtp));
  expect(kept.length).toBeGreaterThan(100);
  expect(kept.length).toBeLessThan(400);
});
