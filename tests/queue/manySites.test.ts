// Ten thousand destinations that are due at once, over the store that is shipped: what is in memory is bounded, and each gets its turn.
import { afterEach, expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import { seededRandom } from "../../src/base/random.ts";
import { createIds } from "../../src/mail/id.ts";
import type { MessageHead } from "../../src/mail/message.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { createQueue } from "../../src/queue/engine.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import { defaultPolicy } from "../../src/queue/policy.ts";
import { createSimClock } from "../sim/time.ts";
import { routeTo, START } from "./bench.ts";
import { sqliteHome } from "./store.homes.ts";

const home = sqliteHome({ ringFewest: 1_000_000 });
afterEach(() => home.remove());

const DOMAINS = 10_000;
const BODY = new Uint8Array(200);
const HOUR = 3_600_000;

test("ten thousand destinations at once are bounded in memory, and none is starved", () => {
  const clock = createSimClock(START);
  const store = home.open();
  const ids = createIds(0);
  const sent: Dispatch[] = [];
  const policy = { ...defaultPolicy, flightBytesMax: 20_000, flightsMax: 100, reportsMany: 1 };
  const queue = createQueue({
    store,
    clock,
    random: seededRandom(1),
    routeFor: (domain) => routeTo(domain),
    workers: 2,
    adopt() {},
    send: (_, batch) => void sent.push(...batch),
    recall() {},
    part() {},
    policy,
    meter: createMeter(boundsOf),
    log: noLog,
    fatal(text) {
      throw new Error(text);
    },
    dropSpool() {},
  });
  const head = (i: number): MessageHead => ({
    id: ids(clock.now()),
    acceptedAt: clock.now(),
    from: "us@example.com",
    recipients: [`a@d${i}.example`],
    priority: 1,
    dueAt: START + HOUR,
    expiresAt: null,
    sizeBytes: BODY.length,
    sha256: "",
    eightBit: false,
    utf8: false,
    facts: "{}",
    body: { kind: "inline", length: BODY.length },
  });
  const run = (forMs: number): void => {
    const until = clock.monotonicMs() + forMs;
    while (clock.step(until));
  };
  queue.start();
  for (let i = 0; i < DOMAINS; i++) queue.accept([{ head: head(i), body: BODY }], () => {});
  run(HOUR + 1000);
  let most = 0;
  for (let settled = 0; settled < sent.length;) {
    most = Math.max(most, queue.health().leased);
    const verdicts = sent.slice(settled).flatMap(({ job }) =>
      job.recipients.map(({ n, claim }) => ({
        ...({ message: job.message, n, claim, kind: "delivered", scope: "recipient" } as const),
        ...({ class: "none", doubt: false, step: '["n",0,"released",0,""]' } as const),
      })),
    );
    settled = sent.length;
    queue.settle(verdicts);
    run(1000);
  }
  expect(new Set(sent.map(({ job }) => job.site)).size).toBe(DOMAINS);
  expect(queue.health()).toMatchObject({ leased: 0, pendingRecipients: 0 });
  // Twice the room for bodies, at 200 octets each.
  expect(most).toBeLessThanOrEqual(200);
  queue.stop();
}, 60_000);
