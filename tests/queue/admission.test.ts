import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Priority } from "../../src/mail/message.ts";
import type { Submission } from "../../src/mail/submission.ts";
import { createAdmission } from "../../src/queue/admission.ts";
import { defaultPolicy } from "../../src/queue/policy.ts";

function admissionWith(limits: Partial<typeof defaultPolicy>, full = false) {
  const store = {
    tally: () => [],
    size: () => ({ pendingBytes: 0, keptBytes: 0, databaseBytes: 0, walBytes: 0 }),
  };
  const policy = { ...defaultPolicy, ...limits };
  const log: string[] = [];
  const admission = createAdmission(store as never, policy, (_, event) => void log.push(event), {
    isFull: () => full,
  });
  return { admission, policy, log };
}

const mail = (priority: Priority, recipients = 1, sizeBytes = 1): Submission =>
  ({
    head: { priority, sizeBytes, recipients: Array.from({ length: recipients }, () => "a@b.test") },
  }) as never;

/** How many of this priority are taken before it says no. */
function fill(admission: ReturnType<typeof admissionWith>["admission"], one: Submission): number {
  for (let taken = 0; ; taken++) {
    if (admission.refusalOf([one]) !== undefined) return taken;
    admission.accepted([one]);
  }
}

test("bulk leaves a fifth of the queue to others, and all but p0 leave it a twentieth", () => {
  const { admission } = admissionWith({ queueMessagesMax: 100 });
  expect(fill(admission, mail(2))).toBe(80);
  expect(fill(admission, mail(1))).toBe(15);
  expect(fill(admission, mail(0))).toBe(5);
  expect(admission.standing()).toBe("queue_full");
  admission.ended(1);
  expect(admission.standing()).toBeNull();
  expect(admission.refusalOf([mail(2)])).toEqual({ why: "queue_full" });
  expect(admission.refusalOf([mail(0)])).toBeUndefined();
  admission.ended(20);
  expect(fill(admission, mail(2))).toBe(1);
});

test("so it is with bytes", () => {
  const { admission } = admissionWith({ queueBytesMax: 1_000_000 });
  expect(fill(admission, mail(2, 1, 1000))).toBe(800);
  expect(admission.refusalOf([mail(2)])).toEqual({ why: "queue_full", limit: "queue_max_bytes" });
  expect(fill(admission, mail(1, 1, 1000))).toBe(150);
  expect(fill(admission, mail(0, 1, 1000))).toBe(50);
});

test("a small queue takes at least what it says of normal mail", () => {
  const { admission } = admissionWith({ queueMessagesMax: 3 });
  expect(fill(admission, mail(1))).toBe(3);
});

test("a batch counts as its least urgent message", () => {
  const { admission } = admissionWith({ queueMessagesMax: 100 });
  fill(admission, mail(2));
  expect(admission.refusalOf([mail(0), mail(2)])?.why).toBe("queue_full");
  expect(admission.refusalOf([mail(0), mail(1)])).toBeUndefined();
});

test("each limit is named: the key's own, and the disk's", () => {
  const { admission, log } = admissionWith({}, true);
  expect(admission.refusalOf([mail(0)])).toEqual({ why: "queue_full", limit: "queue_max" });
  admission.pressure({ freeBytes: 0, walBytes: 0 });
  expect(admission.refusalOf([mail(0)])).toEqual({ why: "disk_low" });
  admission.pressure({ freeBytes: 1e12, walBytes: 0 });
  expect(admission.refusalOf([mail(0)])?.limit).toBe("queue_max");
  expect(log).toEqual(["queue.disk_low", "queue.disk_ok"]);
});

test("whatever comes and goes, no priority is taken beyond its share", () => {
  const step = fc.record({
    priority: fc.constantFrom<Priority>(0, 1, 2),
    recipients: fc.integer({ min: 1, max: 30 }),
    ended: fc.integer({ min: 0, max: 20 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.array(step), (queueMessagesMax, steps) => {
      const { admission } = admissionWith({ queueMessagesMax });
      const shares = [1, 0.95, 0.8];
      for (const { priority, recipients, ended } of steps) {
        const one = mail(priority, recipients);
        if (admission.refusalOf([one]) === undefined) {
          admission.accepted([one]);
          const most = Math.ceil(queueMessagesMax * (shares[priority] ?? 0));
          expect(admission.recipients()).toBeLessThanOrEqual(most);
        }
        admission.ended(Math.min(ended, admission.recipients()));
      }
    }),
    { numRuns: 200 },
  );
});
