// What the reader answers, over a real data folder.
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EmailView, ListView, QueueView, SiteDepth } from "../../src/mail/query.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { attempt, createStage, listed, NOW, type Stage, timeline, view } from "./stage.ts";

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(() => stage.remove());

const bounced = {
  next: { at: "bounced", endedAt: NOW + 9, attempts: 1 },
  event: "email.bounced",
  step: attempt({
    outcome: "failed",
    code: 550,
    enhanced: "5.1.1",
    text: "No such user",
    class: "mailbox",
  }),
} as const;
const deferred = {
  next: { at: "deferred", dueAt: NOW + 60_000, attempts: 1 },
  event: "email.delivery_delayed",
  step: attempt({ outcome: "deferred", code: 451, enhanced: "4.7.1", text: "Greylisted" }),
} as const;

test("an email is shown with its recipients, and with its text while the bytes are kept", async () => {
  const { id, uuid } = stage.accept({ to: ["ann@example.com", "bob@b.example"], text: "Good day" });
  stage.settle(id, deferred);
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
  expect(email).toMatchObject({
    object: "email",
    id: uuid,
    from: "Shop <shop@s.example>",
    created_at: new Date(NOW).toISOString(),
    scheduled_at: null,
    priority: "p1",
    html: null,
    recipients: [
      {
        address: "ann@example.com",
        state: "deferred",
        attempts: 1,
        next_attempt_at: new Date(NOW + 60_000).toISOString(),
        last: "451 4.7.1 Greylisted",
      },
      { address: "bob@b.example", state: "queued", attempts: 0, last: null },
    ],
  });
  expect(email.text?.trim()).toBe("Good day");
});

test("the text is gone with the bytes, and raw says that it existed", async () => {
  const { id, uuid } = stage.accept();
  expect(await stage.reader.ask({ ask: "raw", id: uuid })).toMatchObject({ kind: "bytes" });
  stage.settle(id, { step: attempt() });
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
  expect({ text: email.text, last_event: email.last_event }).toEqual({
    text: null,
    last_event: "delivered",
  });
  expect(await stage.reader.ask({ ask: "raw", id: uuid })).toEqual({ kind: "gone" });
});

test("mail that its parser refuses is shown without its text", async () => {
  let source = "Content-Type: text/plain\r\n\r\nHello\r\n";
  for (let depth = 0; depth < 300; depth++)
    source = `Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n--b${depth}\r\n${source}\r\n--b${depth}--\r\n`;
  const { uuid } = stage.accept({ source });
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
  expect(email).toMatchObject({ id: uuid, text: null, html: null });
  expect(await stage.reader.ask({ ask: "raw", id: uuid })).toMatchObject({ kind: "bytes" });
});

test("an unknown id and an id of another server are missing", async () => {
  const { uuid } = stage.accept();
  const other = `${uuid.slice(0, -1)}${uuid.endsWith("0") ? "1" : "0"}`;
  for (const id of ["", "nonsense", other, stage.uuid(NOW * 4096 + 999)]) {
    expect(await stage.reader.ask({ ask: "email", id })).toEqual({ kind: "missing" });
  }
});

test("the least advanced recipient decides the last event, in Resend's words", async () => {
  const cases = [
    [["scheduled"], "scheduled"],
    [["held", "delivered"], "queued"],
    [["deferred", "delivered"], "delivery_delayed"],
    [["expired"], "failed"],
    [["bounced", "delivered"], "delivered"],
    [["canceled"], "canceled"],
  ] as const;
  for (const [names, word] of cases) {
    const to = names.map((name) => `${name}@example.com`);
    const { id, uuid } = stage.accept({ to });
    for (const [n, at] of names.entries()) {
      const next =
        at === "scheduled"
          ? ({ at, dueAt: NOW } as const)
          : at === "held"
            ? ({ at, attempts: 0 } as const)
            : at === "deferred"
              ? ({ at, dueAt: NOW, attempts: 1 } as const)
              : ({ at, endedAt: NOW, attempts: 1 } as const);
      stage.settle(id, { n, next, event: null });
    }
    const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: uuid }));
    expect([names, email.last_event]).toEqual([names, word]);
  }
});

test("an attempt is told as two events, the attempt and its outcome", async () => {
  const { id, uuid } = stage.accept({ facts: { tags: [{ name: "kind", value: "bill" }] } });
  stage.settle(id, deferred);
  stage.settle(id, bounced);
  const events = await timeline(stage, uuid);
  expect(events.map((one) => [one.id, one.type])).toEqual([
    [3, "email.sent"],
    [4, "email.attempted"],
    [5, "email.delivery_delayed"],
    [6, "email.attempted"],
    [7, "email.bounced"],
  ]);
  expect(events[4]?.data).toMatchObject({
    email_id: uuid,
    to: ["ann@example.com"],
    tags: { kind: "bill" },
    bounce: { type: "Permanent", subType: "NoEmail", message: "550 5.1.1 No such user" },
    postrider: {
      recipient: "ann@example.com",
      state: "bounced",
      attempt: 2,
      code: 550,
      doubt: false,
    },
  });
});

test("the timeline is the same whether the index has caught up or not", async () => {
  const { id, uuid } = stage.accept();
  stage.settle(id, deferred);
  const before = await timeline(stage, uuid);
  expect(stage.reader.lag()).toBe(2);
  stage.reader.follow();
  expect(stage.reader.lag()).toBe(0);
  expect(await timeline(stage, uuid)).toEqual(before);
  expect(before).toHaveLength(3);
});

test("each filter finds what it says and nothing else", async () => {
  const tags = [{ name: "kind", value: "bill" }];
  const facts = { tags, reference: "4711", from: "ann@other.example", message_id: "<own@id>" };
  const { uuid } = stage.accept({ to: ["Zoe@b.example"], facts });
  const other = stage.accept({ to: ["bob@c.example"], at: NOW + 5000 });
  expect(await listed(stage, {})).toEqual([other.uuid, uuid]);
  for (const filter of [
    { to: "zoe@b.example" },
    { domain: "B.example" },
    { from: "Ann <ANN@other.example>" },
    { tag: "kind" },
    { tag: "kind=bill" },
    { reference: "4711" },
    { message_id: "<own@id>" },
    { until: new Date(NOW + 5000).toISOString() },
    { to: "zoe@b.example", tag: "kind", reference: "4711" },
  ]) {
    expect([filter, await listed(stage, filter)]).toEqual([filter, [uuid]]);
  }
  const made = `<${other.uuid}@mail.s.example>`;
  expect(await listed(stage, { message_id: made })).toEqual([other.uuid]);
  expect(await listed(stage, { trace: other.uuid.replaceAll("-", "") })).toEqual([other.uuid]);
  expect(await listed(stage, { since: new Date(NOW + 1).toISOString() })).toEqual([other.uuid]);
  expect(await listed(stage, { to: "zoe@b.example", reference: "1" })).toEqual([]);
});

test("an address is found in each spelling of its domain", async () => {
  const facts = { from: "Ann <ann@bücher.example>" };
  const { uuid } = stage.accept({ to: ["ÄNN@xn--mnchen-3ya.example"], facts });
  stage.accept();
  for (const filter of [
    { to: "änn@München.example" },
    { to: "ÄNN@xn--mnchen-3ya.example" },
    { from: "ann@xn--bcher-kva.example" },
    { from: "ANN@BÜCHER.example" },
  ])
    expect([filter, await listed(stage, filter)]).toEqual([filter, [uuid]]);
});

test("a status is what is stored now, also when no event told of it", async () => {
  const first = stage.accept();
  const second = stage.accept();
  stage.settle(second.id, bounced);
  expect(await listed(stage, { status: "queued" })).toEqual([first.uuid]);
  expect(await listed(stage, { status: "bounced" })).toEqual([second.uuid]);
  expect(await listed(stage, { status: "dead" })).toEqual([]);
  const request = {
    site: 0,
    priority: 1,
    limit: 9,
    bytesMax: 1e6,
    now: NOW,
    leaseUntil: NOW + 9,
  } as const;
  const [claimed] = stage.act(() => stage.store.claim(request));
  expect(await listed(stage, { status: "sending" })).toEqual([first.uuid]);
  expect(await listed(stage, { status: "queued" })).toEqual([]);
  const next = { at: "queued", dueAt: NOW, attempts: 0 } as const;
  stage.settle(first.id, { claim: claimed?.claim ?? null, next, event: null });
  expect(await listed(stage, { status: "queued" })).toEqual([first.uuid]);
});

test("pages go on after and before an id", async () => {
  const all = Array.from({ length: 7 }, () => stage.accept().uuid).reverse();
  for (const filter of [{}, { to: "ann@example.com" }, { status: "queued" }] as const) {
    const page = async (more: object) =>
      await view<ListView<EmailView>>(
        stage.reader.ask({ ask: "list", filter: { ...filter, limit: 3, ...more } }),
      );
    const first = await page({});
    expect([first.data.map((one) => one.id), first.has_more]).toEqual([all.slice(0, 3), true]);
    const second = await page({ after: all[2] });
    expect(second.data.map((one) => one.id)).toEqual(all.slice(3, 6));
    const last = await page({ after: all[5] });
    expect([last.data.map((one) => one.id), last.has_more]).toEqual([all.slice(6), false]);
    const back = await page({ before: all[3] });
    expect([back.data.map((one) => one.id), back.has_more]).toEqual([all.slice(0, 3), false]);
  }
});

test("what cannot be understood is named", async () => {
  for (const [field, value] of [
    ["after", "x"],
    ["before", "x"],
    ["since", "x"],
    ["until", "x"],
  ]) {
    const filter = { limit: 1, [field as string]: value };
    expect(await stage.reader.ask({ ask: "list", filter })).toMatchObject({
      kind: "invalid",
      field,
    });
  }
});

test("the queue is shown by state, priority and site", async () => {
  stage.accept({ priority: 0 });
  const { id } = stage.accept();
  const site = stage.act(() => stage.store.siteId("mx.example.com"));
  stage.settle(id, { ...deferred, site });
  const queue = await view<QueueView>(stage.reader.ask({ ask: "queue" }));
  expect(queue).toEqual({
    object: "queue",
    counts: [
      { state: "queued", priority: "p0", recipients: 1 },
      { state: "deferred", priority: "p1", recipients: 1 },
    ],
    oldest_age_seconds: { p0: 60, p1: 60, p2: null },
    sites: [
      {
        site: "",
        waiting: 1,
        oldest_age_seconds: 60,
        next_attempt_at: new Date(NOW).toISOString(),
        last_error: null,
      },
      {
        site: "mx.example.com",
        waiting: 1,
        oldest_age_seconds: 60,
        next_attempt_at: new Date(NOW + 60_000).toISOString(),
        last_error: "451 4.7.1 Greylisted",
      },
    ],
    paused: [],
    search_lag: 0,
  });
});

test("what an operator paused is shown, and a site's line by its name", async () => {
  stage.accept();
  stage.act(() => {
    stage.store.pause({ kind: "site", name: "mx.example.com", at: NOW });
    stage.store.pause({ kind: "all", name: "", at: NOW + 1 });
  });
  const { paused } = await view<QueueView>(stage.reader.ask({ ask: "queue" }));
  expect(paused).toEqual([
    { kind: "all", name: "", since: new Date(NOW + 1).toISOString() },
    { kind: "site", name: "mx.example.com", since: new Date(NOW).toISOString() },
  ]);
  const names = ["", "unknown.example"];
  expect(await view<SiteDepth[]>(stage.reader.ask({ ask: "sites", names }))).toMatchObject([
    { site: "", waiting: 1 },
  ]);
});

test("dead letters are those whose bytes are kept, and a released message is found where it waits", async () => {
  stage.store.keep({ deadMs: 1000, all: false });
  const dead = stage.accept();
  stage.settle(dead.id, bounced);
  expect(await listed(stage, { status: "dead" })).toEqual([dead.uuid]);
  expect(await stage.reader.ask({ ask: "raw", id: dead.uuid })).toMatchObject({ kind: "bytes" });
  stage.act(() => stage.store.fade(Infinity, 9));
  expect(await listed(stage, { status: "dead" })).toEqual([]);
  const held = stage.accept();
  const next = { at: "held", attempts: 0 } as const;
  stage.settle(held.id, { next, event: "email.held" });
  expect(await listed(stage, { status: "held" })).toEqual([held.uuid]);
  const released = { at: "queued", dueAt: NOW, attempts: 0 } as const;
  stage.settle(held.id, { next: released, event: null });
  expect(await listed(stage, { status: "held" })).toEqual([]);
  expect(await listed(stage, { status: "queued" })).toEqual([held.uuid]);
});

test("the index is made anew when it is damaged or of another folder", async () => {
  const { uuid } = stage.accept();
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([uuid]);
  const file = join(stage.dataDir, "search.db");
  stage.reopenReader();
  expect(stage.reader.lag()).toBe(0);
  stage.reopenReader(() => {
    for (const part of ["-wal", "-shm"]) rmSync(file + part, { force: true });
    writeFileSync(file, "this is no database, whatever its name says".repeat(99));
  });
  expect(stage.reader.lag()).toBe(1);
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([uuid]);
});

test("the index is made anew when it knows of events that are not there", async () => {
  const { uuid } = stage.accept();
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([uuid]);
  stage.reopenReader(() => {
    const db = new Database(join(stage.dataDir, "search.db"));
    db.run("UPDATE meta SET value = '999' WHERE key = 'cursor'");
    db.close();
  });
  expect(stage.reader.lag()).toBe(1);
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([uuid]);
});

test("the bytes of mail that is with a sender are shown, and not those that lie there later", async () => {
  const state = (): RecipientState => ({
    at: "sending",
    claim: stage.store.nextClaim(),
    leaseUntil: NOW + 60_000,
    attempts: 0,
  });
  const states = Array.from({ length: 8 }, state);
  const sent = stage.acceptAll(states.map((one, i) => ({ states: [one], text: `Number ${i}` })));
  const db = new Database(join(stage.dataDir, "postrider.db"), { readonly: true });
  expect(db.query("SELECT count(*) FROM body").values()).toEqual([[0]]);
  db.close();
  const third = sent[3]?.uuid ?? "";
  const email = await view<EmailView>(stage.reader.ask({ ask: "email", id: third }));
  expect(email.text?.trim()).toBe("Number 3");
  for (const [i, one] of sent.entries()) {
    const held = states[i];
    stage.settle(one.id, { claim: held?.at === "sending" ? held.claim : null, step: attempt() });
  }
  expect(await stage.reader.ask({ ask: "raw", id: third })).toEqual({ kind: "gone" });
});

test("fresh events wait a moment before they are indexed, unless somebody asks", async () => {
  const { uuid } = stage.accept({ at: NOW + 60_000 });
  expect(stage.reader.follow()).toBe(false);
  expect(stage.reader.lag()).toBe(1);
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([uuid]);
  expect(stage.reader.lag()).toBe(0);
});

test("what was forgotten is found no more, by no filter", async () => {
  const { id } = stage.accept();
  stage.settle(id, { step: attempt() });
  const kept = stage.accept({ at: NOW + 1000 });
  expect(await listed(stage, { to: "ann@example.com" })).toHaveLength(2);
  stage.act(() => stage.store.forget(NOW + 500, 10));
  expect(await listed(stage, { to: "ann@example.com" })).toEqual([kept.uuid]);
  expect(await listed(stage, {})).toEqual([kept.uuid]);
  expect(await stage.reader.ask({ ask: "email", id: stage.uuid(id) })).toEqual({ kind: "missing" });
});
