// The body of an event as it is told everywhere (INTERFACE 4): each kind beside a file that says how it looks. A change of these files is
// a change of the API.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { EventType } from "../../src/mail/event.ts";
import type { EventView, FeedPage } from "../../src/mail/eventView.ts";
import type { FeedQuery } from "../../src/mail/query.ts";
import { type NoteStep, packStep, type TlsFacts } from "../../src/mail/timeline.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { attempt, createStage, listed, NOW, type Stage, timeline, view } from "./stage.ts";

const folder = join(import.meta.dir, "..", "golden", "events");

let stage: Stage;
const told = new Map<string, EventView>();

const feed = (query: FeedQuery): Promise<FeedPage> =>
  view(stage.reader.ask({ ask: "feed", feed: query }));

const note = (name: NoteStep["note"], text: string): string =>
  packStep({ kind: "note", at: NOW + 7, note: name, doubt: false, text });

const facts = {
  tags: [{ name: "kind", value: "receipt" }],
  metadata: { order: "7" },
  reference: "R-7",
  subject: "Your order",
};

const tls = {
  ...{ version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", verified: true, resumed: false },
  ...{ handshakeMs: 12, verifyMs: 1, policy: "mta-sts", unproven: "" },
} as const satisfies TlsFacts;

beforeAll(async () => {
  stage = createStage();
  const settle = (
    name: string,
    next: RecipientState,
    event: EventType | null,
    step: string | null,
  ) => {
    const { id } = stage.accept({ facts });
    stage.settle(id, { next, event, step });
    return [name, id] as const;
  };
  const ended = (at: "delivered" | "bounced" | "expired" | "canceled" | "suppressed") =>
    ({ at, endedAt: NOW + 9, attempts: 1 }) as const;
  const refused = { outcome: "failed", class: "mailbox", phase: "rcpt", code: 550 } as const;
  const words = { enhanced: "5.1.1", text: "No such user" };
  const later = { outcome: "deferred", class: "full", phase: "rcpt", code: 452 } as const;
  const waits = { at: "deferred", dueAt: NOW + 60_000, attempts: 1 } as const;
  const made = [
    settle(
      "delivered",
      ended("delivered"),
      "email.delivered",
      attempt({ tls, signed: "s.example/k1 s.example/k2" }),
    ),
    settle("bounced", ended("bounced"), "email.bounced", attempt({ ...refused, ...words })),
    settle(
      "delivery_delayed",
      waits,
      "email.delivery_delayed",
      attempt({ ...later, enhanced: "4.2.2", text: "Full" }),
    ),
    settle("failed", ended("expired"), "email.failed", note("expired", "4.4.7 not delivered")),
    settle("canceled", ended("canceled"), "email.canceled", note("canceled", "by the operator")),
    settle("held", { at: "held", attempts: 0 }, "email.held", note("held", "by the operator")),
    settle(
      "suppressed",
      ended("suppressed"),
      "email.suppressed",
      note("suppressed", "on the suppression list"),
    ),
  ];
  const reported = settle("reported", ended("delivered"), null, attempt());
  for (const report of ["bounced", "complained"] as const) {
    const text = report === "bounced" ? "550 5.1.1 User unknown" : "abuse (FBL/1)";
    const enhanced = report === "bounced" ? "5.1.1" : "";
    const by = "mx.example.com";
    const at = NOW + 99;
    const step = packStep({ kind: "report", at, report, doubt: false, enhanced, text, by });
    const event = report === "bounced" ? "email.bounced" : "email.complained";
    stage.act(() => stage.store.annotate({ message: reported[1], n: 0, step, event, at }));
  }
  const { events } = await feed({ after: 0, limit: 100 });
  const views = events.map(({ body }) => JSON.parse(body) as EventView);
  const names = new Map(made.map(([name, id]) => [stage.uuid(id), name]));
  for (const one of views) {
    const name = names.get(one.data.email_id) ?? "report";
    const type = one.type.slice("email.".length);
    const file = name === "report" ? `report-${type}` : type;
    if ([name, "sent", "attempted", "report-bounced", "report-complained"].includes(file))
      told.set(file, one);
  }
});
afterAll(() => stage.remove());

/** What differs from run to run. */
function fixed(event: EventView): unknown {
  const text = JSON.stringify({ ...event, id: 0 }, null, 2);
  const uuid = "0199aa00-0000-7000-8000-000000000000";
  const bare = (id: string): string => id.replaceAll("-", "");
  const { email_id } = event.data;
  return JSON.parse(text.replaceAll(email_id, uuid).replaceAll(bare(email_id), bare(uuid)));
}

for (const file of readdirSync(folder))
  test(`an event is told as ${file} has it`, () => {
    const wanted = JSON.parse(readFileSync(join(folder, file), "utf8")) as unknown;
    const event = told.get(file.replace(/\.json$/, ""));
    expect(event === undefined ? undefined : fixed(event)).toEqual(wanted);
  });

test("every event that can be told has its file, and every member stands in all of them", () => {
  expect(readdirSync(folder).sort()).toEqual([...told.keys()].map((one) => `${one}.json`).sort());
  const members = [...told.values()].map(({ data }) => Object.keys(data.postrider).join());
  expect(new Set(members).size).toBe(1);
});

test("pages of any size tell everything once, in order, from any place on", async () => {
  const all = (await feed({ after: 0, limit: 1000 })).events.map(({ id }) => id);
  expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
  for (const limit of [1, 2, 7]) {
    const seen: number[] = [];
    for (let after = 0, more = true; more;) {
      const page = await feed({ after, limit });
      seen.push(...page.events.map(({ id }) => id));
      ({ next: after, more } = page);
    }
    expect(seen).toEqual(all);
  }
  for (const after of all) {
    const page = await feed({ after, limit: 1000 });
    expect(page.events.map(({ id }) => id)).toEqual(all.filter((id) => id > after));
  }
});

test("a page of large events is a short one, and the next goes on behind it", async () => {
  const own = createStage();
  const large = { metadata: { note: "x".repeat(100_000) } };
  for (let i = 0; i < 20; i++) own.accept({ facts: large });
  const sizes: number[] = [];
  for (let after = 0, more = true; more;) {
    const page: FeedPage = await view(own.reader.ask({ ask: "feed", feed: { after, limit: 200 } }));
    sizes.push(page.events.length);
    ({ next: after, more } = page);
  }
  for (let before = Infinity, more = true; more;) {
    const page: FeedPage = await view(
      own.reader.ask({ ask: "feed", feed: { before, limit: 100 } }),
    );
    sizes.push(page.events.length);
    ({ next: before, more } = page);
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(40);
  expect(Math.max(...sizes)).toBeLessThan(8);
  own.remove();
});

test("the last ones, and those before an id, come in the same order", async () => {
  const all = (await feed({ after: 0, limit: 1000 })).events.map(({ id }) => id);
  const last = await feed({ limit: 3 });
  expect(last.events.map(({ id }) => id)).toEqual(all.slice(-3));
  const before = await feed({ limit: 3, before: last.next });
  expect(before.events.map(({ id }) => id)).toEqual(all.slice(-6, -3));
  const few = await feed({ limit: 1000, before: all[2] ?? 0 });
  expect(few.events.map(({ id }) => id)).toEqual(all.slice(0, 2));
  expect(few.more).toBe(false);
  expect(await feed({ limit: 0 })).toMatchObject({ events: [], next: all.at(-1) ?? 0 });
});

test("types and instants are looked for, and where nothing is the place moves on", async () => {
  const types = ["email.bounced", "email.attempted"] as const;
  const some = await feed({ after: 0, limit: 1000, types });
  expect(new Set(some.events.map(({ type }) => type))).toEqual(new Set(types));
  const end = (await feed({ limit: 0 })).next;
  expect(some.next).toBe(end);
  expect(await feed({ after: 0, limit: 9, types: ["email.requeued"] })).toMatchObject({
    ...{ events: [], next: end, more: false },
  });
  const later = await feed({ since: NOW + 50, limit: 100 });
  expect(later.events.map(({ type }) => type)).toEqual(["email.bounced", "email.complained"]);
  expect((await feed({ since: NOW + 100_000, limit: 100 })).events).toEqual([]);
  expect((await feed({ since: 0, limit: 1000 })).events).toHaveLength(
    (await feed({ after: 0, limit: 1000 })).events.length,
  );
});

test("what is owed is told whole, and found by a new index, while the events around it are gone", async () => {
  const own = createStage();
  const owed = own.accept({ at: NOW, to: ["owed@example.com"] });
  for (let i = 1; i < 4; i++) own.settle(own.accept({ at: NOW + i }).id, {});
  own.act(() => own.store.forget(NOW + 99, 10));
  const feed: FeedQuery = { after: 1, limit: 100 };
  const page = await view<FeedPage>(own.reader.ask({ ask: "feed", feed }));
  expect(page.forgotten).toBe(13);
  expect((await timeline(own, owed.uuid)).map(({ type }) => type)).toEqual(["email.sent"]);
  own.reopenReader(() => rmSync(join(own.dataDir, "search.db")));
  expect(await listed(own, { to: "owed@example.com" })).toEqual([owed.uuid]);
  own.remove();
});

test("events whose history was cleared are left out, and it is said up to where", async () => {
  const own = createStage();
  const ask = (query: FeedQuery): Promise<FeedPage> =>
    view(own.reader.ask({ ask: "feed", feed: query }));
  for (let i = 0; i < 3; i++) own.settle(own.accept({ at: NOW + i }).id, {});
  own.act(() => own.store.forget(Infinity, 2));
  const page = await ask({ after: 0, limit: 100 });
  const first = own.store.events(0, 1)[0]?.seq ?? 0;
  expect(page.forgotten).toBe(first === 1 ? 0 : first * 2 - 1);
  expect(page.events.map(({ type }) => type)).toEqual(["email.sent", "email.delivered"]);
  expect(page.next).toBe(13);
  own.remove();
});
