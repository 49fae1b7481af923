import { expect, test } from "bun:test";
import type { AttemptTrace } from "../../src/mail/attemptTrace.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { ATTEMPTS_PER_SECOND, createAttempts } from "../../src/report/attempts.ts";
import type { Sampling } from "../../src/report/sampling.ts";
import { createSimClock } from "../sim/time.ts";
import { attempt, conversation, recipient, step } from "./spanStage.ts";

const START = 1_800_000_000_000;

interface Given {
  readonly message?: number;
  readonly recipients?: number;
  readonly attempts?: number;
}

function jobOf({ message = 1, recipients = 1, attempts = 0 }: Given = {}) {
  return {
    ...({ message, priority: 1, sizeBytes: 100 } as const),
    recipients: Array.from({ length: recipients }, (_, n) => {
      return { n, address: `r${n}@a.example`, claim: message * 100 + n, attempts };
    }),
  };
}

const verdictOf = (message: number, n: number, kind: Verdict["kind"], dialogue?: string) => {
  const said = dialogue === undefined ? {} : { dialogue };
  return { message, n, kind, doubt: false, step: `step ${n}`, ...said };
};

function createRig(sampling: Sampling = { share: 0, slowMs: 5_000 }) {
  const clock = createSimClock(START);
  const told: AttemptTrace[] = [];
  let dropped = 0;
  const attempts = createAttempts({
    ...{ clock, sampling },
    tell(batch, missed) {
      told.push(...batch);
      dropped += missed;
    },
  });
  const pass = (ms: number): void => {
    const until = clock.monotonicMs() + ms;
    let passed = false;
    clock.after(ms, () => (passed = true));
    while (!passed && clock.step(until));
  };
  return { clock, told, attempts, pass, dropped: () => dropped };
}

test("recipients of one transaction are one attempt, of which the worst decides", () => {
  const { attempts, told, pass } = createRig();
  const job = jobOf({ recipients: 3 });
  attempts.ended(verdictOf(1, 0, "delivered", "[]"), job, 0);
  attempts.ended(verdictOf(1, 1, "failed"), job, 0);
  attempts.ended(verdictOf(1, 2, "delivered"), job, 0);
  pass(1_000);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ why: "error", dialogue: "[]" });
  expect(told[0]?.recipients.map(({ n }) => n)).toEqual([0, 1, 2]);
});

test("a plain delivery is not told", () => {
  const { attempts, told, pass } = createRig();
  attempts.ended(verdictOf(1, 0, "delivered"), jobOf(), 0);
  const several = jobOf({ message: 2, recipients: 2 });
  for (const n of [0, 1]) attempts.ended(verdictOf(2, n, "delivered"), several, 0);
  pass(1_000);
  expect(told).toEqual([]);
});

test("times are those of the job and of its last verdict, not of the telling", () => {
  const { attempts, told, pass } = createRig();
  pass(500);
  attempts.ended(verdictOf(1, 0, "failed"), jobOf(), 200);
  pass(1_000);
  expect(told[0]).toMatchObject({ cameAt: START + 200, endedAt: START + 500 });
});

test("the delivery after a deferral is told, also where the deferral did not count", () => {
  const { attempts, told, pass } = createRig();
  attempts.ended(verdictOf(1, 0, "deferred"), jobOf(), 0);
  pass(1_000);
  attempts.ended(verdictOf(1, 0, "delivered"), jobOf(), 1_000);
  pass(1_000);
  expect(told.map(({ why }) => why)).toEqual(["error", "retry"]);
});

test("a site that refuses everything is told so far, and the rest is counted", () => {
  const { attempts, told, pass, dropped } = createRig();
  const all = ATTEMPTS_PER_SECOND + 50;
  for (let message = 1; message <= all; message++)
    attempts.ended(verdictOf(message, 0, "failed"), jobOf({ message }), 0);
  pass(500);
  expect([told.length, dropped()]).toEqual([ATTEMPTS_PER_SECOND, 50]);
  pass(1_000);
  attempts.ended(verdictOf(9_999, 0, "failed"), jobOf({ message: 9_999 }), 0);
  pass(500);
  expect(told).toHaveLength(ATTEMPTS_PER_SECOND + 1);
});

test("what waited long for a connection is not slow, and what took long with the server is", () => {
  const { attempts, told } = createRig();
  const paced = step(0, { durationMs: 40 });
  attempts.ended({ ...verdictOf(1, 0, "delivered"), step: paced }, jobOf(), -60_000);
  const slow = step(0, { durationMs: 5_000 });
  attempts.ended({ ...verdictOf(2, 0, "delivered"), step: slow }, jobOf({ message: 2 }), -60_000);
  const opening = [conversation(0, [["greeting", 10, 4_990, 220, "at last"]])];
  const { dialogue } = attempt({ cameAt: 0, endedAt: 0 }, [recipient(paced)], opening);
  const third = { ...verdictOf(3, 0, "delivered", dialogue), step: paced };
  attempts.ended(third, jobOf({ message: 3 }), -60_000);
  attempts.flush();
  expect(told.map(({ message, why }) => [message, why])).toEqual([
    [2, "slow"],
    [3, "slow"],
  ]);
});

test("callers who want all of their traces take no room from what went wrong", () => {
  const { attempts, told, pass, dropped } = createRig({ share: 1, slowMs: 5_000 });
  for (let message = 1; message <= 1_000; message++)
    attempts.ended(verdictOf(message, 0, "delivered"), jobOf({ message }), 0);
  attempts.ended(verdictOf(9_999, 0, "failed"), jobOf({ message: 9_999 }), 0);
  pass(500);
  expect(dropped()).toBe(1_000 - ATTEMPTS_PER_SECOND);
  expect(told.at(-1)).toMatchObject({ message: 9_999, why: "error" });
});

test("what waits is told at the end", () => {
  const { attempts, told } = createRig();
  attempts.ended(verdictOf(1, 0, "failed"), jobOf(), 0);
  expect(told).toEqual([]);
  attempts.flush();
  expect(told).toHaveLength(1);
});

test("another share holds from then on", () => {
  const { attempts, told } = createRig();
  attempts.configure({ share: 1, slowMs: 5_000 });
  attempts.ended(verdictOf(1, 0, "delivered"), jobOf(), 0);
  attempts.flush();
  expect(told[0]?.why).toBe("share");
});
