// GET /emails against a model that is a plain list: every filter alone and together, and every way through the pages.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import type { EmailView, ListFilter, ListView } from "../../src/mail/query.ts";
import { type StateName, recipientStates } from "../../src/mail/state.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { createStage, NOW, type Sketch, type Stage, view } from "./stage.ts";

const addresses = ["ann@a.example", "Bob@a.example", "cy@b.example", "dee@sub.b.example"] as const;
const senders = ["Shop <shop@s.example>", "shop@s.example", "News <news@s.example>"] as const;
const names = ["spring", "order"] as const;
const settled = ["delivered", "bounced", "expired", "canceled", "suppressed"] as const;
const references = ["R-1", "R-2", null] as const;
const traces = ["0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"] as const;
const SPREAD_MS = 20;

interface Letter {
  readonly at: number;
  readonly to: readonly string[];
  readonly from: string;
  readonly tags: readonly { readonly name: string; readonly value: string }[];
  readonly reference: string | null;
  readonly trace: string | null;
  readonly messageId: string | null;
  readonly states: readonly StateName[];
}

const state = fc.constantFrom<StateName>("queued", "scheduled", "deferred", "held", ...settled);

const letter: fc.Arbitrary<Letter> = fc.record({
  at: fc.integer({ min: NOW, max: NOW + SPREAD_MS }),
  to: fc.uniqueArray(fc.constantFrom(...addresses), { minLength: 1, maxLength: 3 }),
  from: fc.constantFrom(...senders),
  tags: fc.array(fc.record({ name: fc.constantFrom(...names), value: fc.constantFrom("1", "2") }), {
    maxLength: 2,
  }),
  reference: fc.constantFrom(...references),
  trace: fc.constantFrom(null, null, ...traces),
  messageId: fc.option(fc.constantFrom("<1@own.example>", "<2@own.example>")),
  states: fc.array(state, { minLength: 3, maxLength: 3 }),
});

const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(one, { nil: undefined, freq: 2 });
const when = fc
  .integer({ min: -2, max: SPREAD_MS + 2 })
  .map((ms) => new Date(NOW + ms).toISOString());

/** `place` is that of the message, among all of them, that the page begins behind or ends before. */
const question = fc.record({
  status: maybe(fc.constantFrom(...recipientStates.filter((one) => one !== "sending"))),
  to: maybe(fc.constantFrom(...addresses, "BOB@A.example", "nobody@a.example")),
  from: maybe(fc.constantFrom("shop@s.example", "NEWS@s.example", "Any <news@s.example>")),
  domain: maybe(fc.constantFrom("a.example", "B.EXAMPLE", "c.example")),
  tag: maybe(fc.constantFrom("spring", "spring=1", "order=2", "none")),
  reference: maybe(fc.constantFrom("R-1", "R-2", "R-3")),
  trace: maybe(fc.constantFrom(...traces, traces[0].toUpperCase(), "0".repeat(32))),
  message_id: maybe(fc.constantFrom("<1@own.example>", "<3@own.example>")),
  since: maybe(when),
  until: maybe(when),
  limit: fc.integer({ min: 1, max: 4 }),
  cursor: fc.constantFrom("after", "before", "none"),
  place: fc.nat(),
});

type Kept = Letter & { readonly uuid: string; readonly id: number };

function stateOf(name: StateName, at: number): RecipientState {
  switch (name) {
    case "queued":
    case "deferred":
      return { at: name, dueAt: at, attempts: 0 };
    case "scheduled":
      return { at: name, dueAt: at };
    case "held":
      return { at: name, attempts: 0 };
    case "sending":
      throw new Error("a lease is the queue's own");
    default:
      return { at: name, endedAt: at, attempts: 0 };
  }
}

const sketchOf = (one: Letter): Sketch => ({
  at: one.at,
  to: one.to,
  states: one.to.map((_, n) => stateOf(one.states[n] ?? "queued", one.at)),
  ...(one.trace === null ? {} : { trace: `00-${one.trace}-b7ad6b7169203331-01` }),
  facts: {
    from: one.from,
    tags: one.tags,
    reference: one.reference,
    ...(one.messageId === null ? {} : { message_id: one.messageId }),
  },
});

const bare = (text: string): string => (/<(.*)>/.exec(text)?.[1] ?? text).toLowerCase();

function fits(one: Kept, filter: Omit<ListFilter, "limit">): boolean {
  const to = one.to.map((address) => address.toLowerCase());
  const { status, domain, tag, reference, message_id, since, until, trace } = filter;
  return (
    (status === undefined || one.to.some((_, n) => one.states[n] === status)) &&
    (filter.to === undefined || to.includes(filter.to.toLowerCase())) &&
    (domain === undefined || to.some((address) => address.endsWith(`@${domain.toLowerCase()}`))) &&
    (filter.from === undefined || bare(one.from) === bare(filter.from)) &&
    (tag === undefined || one.tags.some((t) => t.name === tag || `${t.name}=${t.value}` === tag)) &&
    (reference === undefined || one.reference === reference) &&
    (trace === undefined || one.trace === trace.toLowerCase()) &&
    (message_id === undefined || one.messageId === message_id) &&
    (since === undefined || one.at >= Date.parse(since)) &&
    (until === undefined || one.at < Date.parse(until))
  );
}

function expected(kept: readonly Kept[], filter: ListFilter, cursor: Kept | undefined) {
  const found = kept.filter((one) => fits(one, filter)).sort((a, b) => b.id - a.id);
  if (filter.after !== undefined && cursor !== undefined) {
    const older = found.filter(({ id }) => id < cursor.id);
    return { page: older.slice(0, filter.limit), more: older.length > filter.limit };
  }
  if (filter.before !== undefined && cursor !== undefined) {
    const newer = found.filter(({ id }) => id > cursor.id);
    return { page: newer.slice(-filter.limit), more: newer.length > filter.limit };
  }
  return { page: found.slice(0, filter.limit), more: found.length > filter.limit };
}

async function ask(stage: Stage, filter: ListFilter) {
  return view<ListView<EmailView>>(stage.reader.ask({ ask: "list", filter }));
}

test("a list holds what a plain search through everything would", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(letter, { maxLength: 25 }),
      fc.array(question, { minLength: 10, maxLength: 40 }),
      async (letters, questions) => {
        const stage = createStage();
        try {
          const accepted = letters.length === 0 ? [] : stage.acceptAll(letters.map(sketchOf));
          const kept = letters.map((one, i): Kept => ({ ...one, ...accepted[i]! }));
          for (const { cursor, place, ...rest } of questions) {
            const at = cursor === "none" ? undefined : kept[place % Math.max(1, kept.length)];
            const given = Object.entries(rest).filter(([, value]) => value !== undefined);
            const filter = {
              ...(Object.fromEntries(given) as unknown as ListFilter),
              ...(at === undefined ? {} : { [cursor]: at.uuid }),
            };
            const { page, more } = expected(kept, filter, at);
            const told = await ask(stage, filter);
            expect(told.data.map(({ id }) => id)).toEqual(page.map(({ uuid }) => uuid));
            expect(told.has_more).toBe(more);
          }
        } finally {
          stage.remove();
        }
      },
    ),
    { numRuns: 6 },
  );
});

test("going on page by page meets every message once, there and back", async () => {
  const stage = createStage();
  const sketches = Array.from({ length: 57 }, (_, i) => ({ at: NOW + (i % 7) * 1000 }));
  const ids = stage.acceptAll(sketches).sort((a, b) => b.id - a.id);
  const all = ids.map(({ uuid }) => uuid);
  const forth: string[] = [];
  for (let after: string | undefined; ; after = forth.at(-1)) {
    const { data, has_more } = await ask(stage, { limit: 10, ...(after && { after }) });
    forth.push(...data.map(({ id }) => id));
    if (!has_more) break;
  }
  expect(forth).toEqual(all);
  const back: string[] = [forth.at(-1) ?? ""];
  for (;;) {
    const { data, has_more } = await ask(stage, { limit: 10, before: back[0] ?? "" });
    back.unshift(...data.map(({ id }) => id));
    if (!has_more) break;
  }
  expect(back).toEqual(all);
  stage.remove();
});

test("a cursor may be a message that is gone: the page begins where it was", async () => {
  const stage = createStage();
  const [old, young] = stage.acceptAll([{ at: NOW }, { at: NOW + 10 }]);
  const between = stage.uuid((NOW + 5) * IDS_PER_MS);
  const after = await ask(stage, { limit: 5, after: between });
  expect(after.data.map(({ id }) => id)).toEqual([old?.uuid ?? ""]);
  const before = await ask(stage, { limit: 5, before: between });
  expect(before.data.map(({ id }) => id)).toEqual([young?.uuid ?? ""]);
  stage.remove();
});
