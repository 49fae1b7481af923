import { expect, test } from "bun:test";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import { createAcceptances } from "../../src/report/acceptances.ts";
import type { Span } from "../../src/report/span.ts";
import { createTraces } from "../../src/report/traces.ts";
import { createSimClock } from "../sim/time.ts";
import { attempt, MESSAGE, recipient, START, step, TAG } from "./spanStage.ts";

function createRig() {
  const clock = createSimClock(START);
  const acceptances = createAcceptances(clock, () => 0.01);
  const spans: Span[] = [];
  const room = { is: true };
  let dropped = 0;
  const traces = createTraces({
    rules: () => ({ tag: TAG, recipients: "domain" }),
    acceptances,
    hasRoom: () => room.is,
    add: (more) => void spans.push(...more),
    dropped: (count) => void (dropped += count),
  });
  const named = (name: string): Span[] => spans.filter((one) => one.name === name);
  return { clock, acceptances, traces, spans, named, room, dropped: () => dropped };
}

const deferral = { outcome: "deferred", class: "greylist", code: 451, phase: "rcpt" } as const;

test("the beginning is told once, and each attempt has a number and a wait of its own", () => {
  const { traces, acceptances, spans, named } = createRig();
  acceptances.note({
    ...{ message: MESSAGE, trace: null, way: "POST /emails" },
    ...{ acceptedAt: START - 5, dueAt: START - 5, composedAtMs: 0 },
  });
  const one = attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10, deferral))]);
  const two = attempt({ cameAt: 400, endedAt: 420 }, [
    recipient(step(400), { claim: 8, attempts: 1 }),
  ]);
  traces.heard([one], 0);
  traces.heard([two], 0);
  expect(spans.map(({ name }) => name)).toEqual([
    ...["POST /emails", "compose", "commit", "queue.wait", "deliver attempt 1"],
    ...["queue.wait", "deliver attempt 2"],
  ]);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(7);
  const [root] = spans;
  for (const { name, parentId } of spans.slice(1))
    expect([name, parentId]).toEqual([name, root?.spanId ?? ""]);
  const waits = named("queue.wait").map(({ startAt, endAt, attributes }) => {
    return [startAt - START, endAt - START, attributes["postrider.wait.reason"]];
  });
  expect(waits).toEqual([
    [0, 10, "new"],
    [20, 400, "greylist"],
  ]);
});

test("a deferral that counted as no attempt is one in the trace all the same", () => {
  const { traces, named } = createRig();
  const refused = { ...deferral, class: "network", phase: "connect", code: 0 } as const;
  traces.heard([attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10, refused))])], 0);
  traces.heard([attempt({ cameAt: 40, endedAt: 50 }, [recipient(step(40), { claim: 8 })])], 0);
  expect(named("deliver attempt 2")).toHaveLength(1);
});

test("recipients at two sites are two attempts below one beginning", () => {
  const { traces, spans, named } = createRig();
  traces.heard(
    [
      attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10))]),
      attempt({ cameAt: 11, endedAt: 25 }, [
        recipient(step(11), { n: 1, address: "bob@b.example", claim: 8 }),
      ]),
    ],
    0,
  );
  expect(named("accept")).toHaveLength(1);
  expect(named("deliver attempt 1")).toHaveLength(2);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
});

test("a retry whose beginning nobody remembers does not tell it again", () => {
  const { traces, named, spans } = createRig();
  traces.heard([attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10), { attempts: 2 })])], 0);
  expect(named("accept")).toEqual([]);
  expect(spans.map(({ name }) => name)).toEqual(["deliver attempt 3"]);
});

test("after ten thousand others a beginning is still not told twice", () => {
  const { traces, named } = createRig();
  const refused = attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10, deferral))]);
  traces.heard([refused], 0);
  for (let i = 1; i <= 11_000; i++) traces.heard([{ ...refused, message: MESSAGE + i }], 0);
  traces.heard([refused], 0);
  expect(named("accept")).toHaveLength(11_001);
});

test("a slow acceptance is told at once, and not again with the first attempt", () => {
  const { traces, acceptances, spans, named } = createRig();
  acceptances.note({
    ...{ message: MESSAGE, trace: null, way: "SMTP" },
    ...{ acceptedAt: START - 9_000, dueAt: START - 9_000, composedAtMs: 0 },
  });
  traces.accepted({ message: MESSAGE, trace: null, priority: 1, sizeBytes: 10 });
  expect(spans.map(({ name }) => name)).toEqual(["SMTP", "compose", "commit"]);
  traces.heard([attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10))])], 0);
  expect(named("SMTP")).toHaveLength(1);
});

test("while there is no room attempts are counted and nothing is made of them", () => {
  const { traces, spans, room, dropped } = createRig();
  room.is = false;
  const one = attempt({ cameAt: 10, endedAt: 20 }, [recipient(step(10))]);
  traces.heard([one, one], 3);
  expect([spans.length, dropped()]).toEqual([0, 5]);
});

test("an acceptance is remembered beside ten thousand others, and forgotten before a million", () => {
  const { acceptances, clock } = createRig();
  const note = (message: number): void => {
    const at = Math.floor(message / IDS_PER_MS);
    const times = { acceptedAt: at, dueAt: at, composedAtMs: clock.monotonicMs() };
    acceptances.note({ message, trace: null, way: "SMTP", ...times });
  };
  note(MESSAGE);
  for (let i = 1; i < 10_000; i++) note(MESSAGE + Math.floor(i / 14) * IDS_PER_MS + (i % 14));
  expect(acceptances.find(MESSAGE)?.way).toBe("SMTP");
  expect(acceptances.find(MESSAGE + 5 * IDS_PER_MS + 3)).toBeDefined();
  expect(acceptances.find(MESSAGE + 5 * IDS_PER_MS + 14)).toBeUndefined();
  for (let i = 1; i < 1_000_000; i += 7) note(MESSAGE + i * IDS_PER_MS);
  expect(acceptances.find(MESSAGE)).toBeUndefined();
});
