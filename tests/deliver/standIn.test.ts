// A stand-in for a network may answer from within `write`: the simulator and the built-in sink are such. And what a server says may
// be anything at all.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Connection, Listener } from "../../src/deliver/connection.ts";
import { createSender, type Sender } from "../../src/deliver/sender.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { rfcDeadlines, type Deadlines } from "../../src/smtp/phases.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { attemptOrder } from "../../src/route/order.ts";
import { jobOf, message, once, recipients, stepOf } from "./rig.ts";

const route = {
  site: "example.net",
  via: "mx",
  hosts: [{ name: "mx.example.net", preference: 0, addresses: ["192.0.2.1"] }],
  port: 25,
  tls: "off",
  implicitTls: false,
  login: null,
} as const;

/** A server that answers in the same breath; null hangs up. */
function standIn(answer: (said: string) => string | null): Connection {
  let listener: Listener | undefined;
  let open = true;
  const say = (said: string): void => {
    const text = answer(said);
    if (text === null) open = false;
    if (text === null) listener?.closed("hung up");
    else if (text !== "") listener?.data(Buffer.from(text, "latin1"));
  };
  return {
    kind: "connected",
    source: "",
    tls: null,
    listen(given) {
      listener = given;
      say("");
    },
    write(octets) {
      if (open) say(typeof octets === "string" ? octets : Buffer.from(octets).toString("latin1"));
      return true;
    },
    startTls: () => Promise.resolve({ kind: "failed", text: "none here" }),
    close: () => void (open = false),
  };
}

interface Bench {
  readonly sender: Sender;
  readonly verdicts: Verdict[];
  of(count: number): Promise<void>;
}

/** Whatever is not answered in the same breath never is. */
const soon = Object.fromEntries(
  Object.keys(rfcDeadlines).map((phase) => [phase, 5]),
) as unknown as Deadlines;

function createBench(connect: () => Connection): Bench {
  const verdicts: Verdict[] = [];
  let heard = (): void => {};
  const sender = createSender({
    clock: systemClock,
    random: seededRandom(1),
    connect: () => Promise.resolve(connect()),
    meter: createMeter(boundsOf),
    log: noLog,
    settings: {
      ...deliverDefaults,
      connectionMessages: 1_000_000,
      siteConnections: 1,
      deadlines: soon,
      rounds: once,
    },
    verdict(verdict) {
      verdicts.push(verdict);
      heard();
    },
    readSpool: () => {
      throw new Error("nothing is spooled here");
    },
    order: attemptOrder,
  });
  return {
    sender,
    verdicts,
    async of(count) {
      while (verdicts.length < count) await new Promise<void>((resolve) => (heard = resolve));
    },
  };
}

/** Answers each command of a well-behaved client. */
function goodServer(): (said: string) => string {
  let inBody = false;
  return (said) => {
    if (said === "") return "220 hi\r\n";
    let out = "";
    let rest = said;
    if (inBody) {
      const end = rest.indexOf("\r\n.\r\n");
      if (end === -1) return "";
      rest = rest.slice(end + 5);
      inBody = false;
      out += "250 2.0.0 taken\r\n";
    }
    for (const line of rest.split("\r\n").slice(0, -1)) {
      if (line.startsWith("EHLO")) out += "250-mx\r\n250 PIPELINING\r\n";
      else if (line === "DATA") {
        inBody = true;
        out += "354 go\r\n";
      } else out += "250 ok\r\n";
    }
    return out;
  };
}

test("ten thousand answers in the same breath do not grow the stack", async () => {
  const server = goodServer();
  const { sender, verdicts, of } = createBench(() => standIn(server));
  for (let i = 0; i < 10_000; i++) sender.submit(jobOf(i, {}), route, message);
  await of(10_000);
  expect(verdicts.every((one) => one.kind === "delivered")).toBe(true);
  await sender.stop(0);
});

const words = fc.constantFrom(
  "220 hi\r\n",
  "250 ok\r\n",
  "250-mx\r\n250 PIPELINING\r\n",
  "354 go\r\n",
  "421 bye\r\n",
  "451 later\r\n",
  "550 5.1.1 no\r\n",
  "250 ok\r\n250 ok\r\n354 go\r\n",
  "250-half",
  "nonsense\r\n",
  null,
);

test("whatever a server says, each recipient gets one verdict and no bounce without a 5xx", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(words, { minLength: 1, maxLength: 14 }), async (script) => {
      const said: string[] = [];
      const waiting = [...script];
      const { sender, verdicts, of } = createBench(() =>
        standIn(() => {
          const text = waiting.shift() ?? null;
          if (text !== null) said.push(text);
          return text;
        }),
      );
      sender.submit(jobOf(1, { recipients: recipients("a", "b") }), route, message);
      await of(2);
      await sender.stop(0);
      expect(verdicts.map((one) => one.n).sort()).toEqual([0, 1]);
      for (const verdict of verdicts) {
        const step = stepOf(verdict);
        if (verdict.kind === "failed") expect(step.code).toBeGreaterThanOrEqual(500);
        if (verdict.kind === "delivered") expect(step).toMatchObject({ phase: "dot", code: 250 });
        if (verdict.doubt) expect(step.phase).toBe("dot");
      }
    }),
    { numRuns: 300 },
  );
});
