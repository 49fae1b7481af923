// How long the oldest mail waits: what somebody is woken for, so that mail which is meant to wait must not count.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { QueueView } from "../../src/mail/query.ts";
import { NOW, type Stage, createStage } from "./stage.ts";

const HOUR_MS = 3_600_000;
/** The reader's clock stands a minute behind `NOW`. */
const MINUTE_S = 60;

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(() => stage.remove());

async function oldest(): Promise<QueueView["oldest_age_seconds"]> {
  const answer = await stage.reader.ask({ ask: "queue" });
  if (answer.kind !== "found") throw new Error("no answer");
  return (answer.view as QueueView).oldest_age_seconds;
}

test("counts from the acceptance, by priority", async () => {
  stage.accept({ priority: 0, at: NOW - 5000 });
  stage.accept({ priority: 0 });
  stage.accept({ priority: 1 });
  expect(await oldest()).toEqual({ p0: MINUTE_S + 5, p1: MINUTE_S, p2: null });
});

test("leaves out what is scheduled, held or final", async () => {
  const at = NOW - HOUR_MS;
  const dueAt = NOW + HOUR_MS;
  stage.accept({ at, dueAt, states: [{ at: "scheduled", dueAt }] });
  stage.accept({ at, states: [{ at: "held", attempts: 0 }] });
  const done = stage.accept({ at });
  stage.settle(done.id, {});
  expect((await oldest()).p1).toBeNull();
  stage.accept();
  expect((await oldest()).p1).toBe(MINUTE_S);
});

test("counts a message that was scheduled from its own time on", async () => {
  stage.accept({ at: NOW - HOUR_MS, dueAt: NOW - 1000 });
  expect((await oldest()).p1).toBe(MINUTE_S + 1);
  stage.accept({ at: NOW - 3000 });
  expect((await oldest()).p1).toBe(MINUTE_S + 3);
});
