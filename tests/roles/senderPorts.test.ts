import { afterEach, expect, test } from "bun:test";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { systemClock } from "../../src/base/clock.ts";
import type { Parted } from "../../src/mail/handover.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import { packVerdicts, type QueueToSender } from "../../src/roles/protocol.ts";
import { hearRoutes } from "../../src/roles/routesTold.ts";
import { createSenderPorts } from "../../src/roles/senderPorts.ts";
import { unpack } from "../../src/roles/wire.ts";
import type { Route } from "../../src/route/route.ts";
import { until } from "../fixtures/until.ts";

const open: MessagePort[] = [];
afterEach(() => open.splice(0).forEach((port) => port.close()));

const route: Route = {
  site: "example.com",
  via: "mx",
  hosts: [],
  port: 25,
  tls: "off",
  implicitTls: false,
  login: null,
};

function dispatch(message: number): Dispatch {
  return {
    route,
    body: new Uint8Array([message]),
    job: {
      message,
      from: "",
      recipients: [{ n: 0, address: "a@example.com", claim: message, attempts: 0 }],
      priority: 1,
      site: route.site,
      sizeBytes: 1,
      eightBit: false,
      utf8: false,
      expiresAt: 0,
      body: { kind: "inline", length: 1 },
    },
  };
}

/** A queue that only hears. */
const hearing = (settled: Verdict[], parted: unknown[] = []) => ({
  settle: (verdicts: readonly Verdict[]) => void settled.push(...verdicts),
  parted: (worker: number, told: readonly Parted[] | "all") => void parted.push([worker, told]),
  recalled() {},
  loaded() {},
});

/** Stands for the word that no more jobs follow. */
const END = -1;

/** A sender's end of a channel, and the messages that reach it. */
function sender() {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const heard: number[] = [];
  const waiters: (() => void)[] = [];
  const routes: Route[] = [];
  const told = {
    port: port1,
    other: port2,
    heard,
    routes,
    recalls: 0,
    adopted: [] as number[],
    next,
  };
  port2.on("message", (said: QueueToSender) => {
    if (said.say === "noMoreJobs") heard.push(END);
    else if (said.say === "adopt") told.adopted.push(said.parted.length, heard.length);
    else if (said.say === "recall") told.recalls++;
    else if (said.say === "jobs") {
      hearRoutes(routes, said.told);
      heard.push(...unpack(said.packed).map((piece) => piece.head.job.message));
    }
    waiters.splice(0).forEach((wake) => wake());
  });
  function next(): Promise<void> {
    return new Promise((resolve) => void waiters.push(resolve));
  }
  return told;
}

/** Once each of them has heard so many. */
async function heardBy(
  senders: readonly ReturnType<typeof sender>[],
  count: number,
): Promise<readonly number[][]> {
  for (const { heard, next } of senders) while (heard.length < count) await next();
  return senders.map(({ heard }) => heard);
}

test("jobs for a sender that has not joined yet reach it once it joins", async () => {
  const ports = createSenderPorts(systemClock);
  ports.send(0, [dispatch(1)]);
  ports.send(0, [dispatch(2)]);
  const late = sender();
  ports.join(0, late.port);
  expect(await heardBy([late], 2)).toEqual([[1, 2]]);
});

test("what was learned of a site reaches a sender before its jobs, also one that has not joined yet", async () => {
  const ports = createSenderPorts(systemClock);
  const one = sender();
  ports.adopt(0, [{ site: "a", standing: null }]);
  ports.send(0, [dispatch(1)]);
  ports.join(0, one.port);
  ports.adopt(0, [{ site: "b", standing: null }]);
  ports.send(0, [dispatch(2)]);
  while (one.heard.length < 2) await one.next();
  expect(one.adopted).toEqual([1, 0, 1, 1]);
});

test("what was learned of a site goes on with it as it was told last, and only once, when its sender never came", () => {
  const standing = (window: number): Parted => ({
    site: "a",
    standing: {
      ...{ window, gained: 0, ceiling: null, ceilingLeftMs: 0, heldMs: 0, servedAgoMs: null },
      ...{ connects: null, messages: null },
    },
  });
  const ports = createSenderPorts(systemClock);
  const parted: unknown[] = [];
  ports.tell(hearing([], parted));
  for (const window of [3, 5]) {
    ports.adopt(0, [standing(window)]);
    ports.part(0, ["a"]);
  }
  ports.part(0, ["a"]);
  expect(parted).toEqual([
    [0, [standing(3)]],
    [0, [standing(5)]],
    [0, [{ site: "a", standing: null }]],
  ]);
});

test("a route travels once to each sender, and again to its successor", async () => {
  const ports = createSenderPorts(systemClock);
  const [first, second] = [sender(), sender()];
  ports.join(0, first.port);
  ports.send(0, [dispatch(1)]);
  ports.send(0, [dispatch(2)]);
  ports.join(0, second.port);
  ports.send(0, [dispatch(3)]);
  await heardBy([first], 2);
  await heardBy([second], 1);
  expect([first.routes, second.routes]).toEqual([[route], [route]]);
});

test("what waited for a sender that died is not given to its successor: its leases come back", async () => {
  const ports = createSenderPorts(systemClock);
  ports.send(0, [dispatch(1)]);
  ports.leave(0);
  const successor = sender();
  ports.join(0, successor.port);
  ports.send(0, [dispatch(2)]);
  expect(await heardBy([successor], 1)).toEqual([[2]]);
});

test("jobs for a sender that leaves wait for its successor, and it is recalled from and waited for", async () => {
  const ports = createSenderPorts(systemClock);
  const [leaving, successor] = [sender(), sender()];
  const settled: Verdict[] = [];
  ports.tell(hearing(settled));
  ports.join(0, leaving.port);
  ports.retire(0);
  ports.send(0, [dispatch(1), dispatch(2)]);
  ports.recall(0, { by: "message", message: 2, cut: true });
  while (leaving.heard.length + leaving.recalls < 2) await leaving.next();
  expect([leaving.heard, leaving.recalls, settled.length]).toEqual([[END], 1, 1]);
  let over = false;
  ports.join(0, successor.port);
  ports.whenAllSaidBye(10_000, () => (over = true));
  successor.other.postMessage({ say: "bye" });
  expect([await heardBy([successor], 1), over]).toEqual([[[1]], false]);
  leaving.other.postMessage({ say: "bye" });
  await until("the last word", () => over);
});

test("what waited for a sender that never came is given back untouched at the end", async () => {
  const ports = createSenderPorts(systemClock);
  const settled: Verdict[] = [];
  ports.tell(hearing(settled));
  ports.send(0, [dispatch(1), dispatch(2)]);
  await new Promise<void>((resolve) => ports.whenAllSaidBye(10_000, resolve));
  expect(settled).toMatchObject([
    { message: 1, n: 0, claim: 1, kind: "interrupted", doubt: false },
    { message: 2, n: 0, claim: 2, kind: "interrupted", doubt: false },
  ]);
});

test("verdicts are settled, and the last word of the last sender ends the wait", async () => {
  const ports = createSenderPorts(systemClock);
  const { port, other } = sender();
  ports.join(0, port);
  const settled: Verdict[] = [];
  ports.tell(hearing(settled));
  const verdict: Verdict = {
    message: 1,
    n: 0,
    claim: 7,
    kind: "delivered",
    scope: "recipient",
    class: "none",
    doubt: false,
    step: "[]",
  };
  const gone = new Promise<void>((resolve) => ports.whenAllSaidBye(10_000, resolve));
  other.postMessage({ say: "verdicts", packed: packVerdicts([verdict]) });
  other.postMessage({ say: "bye" });
  await gone;
  expect(settled).toEqual([verdict]);
});

test("that no more jobs follow is said behind the last one, and to whom joins later", async () => {
  const ports = createSenderPorts(systemClock);
  const [early, late] = [sender(), sender()];
  ports.join(0, early.port);
  ports.send(0, [dispatch(1)]);
  ports.send(1, [dispatch(2)]);
  ports.noMoreJobs();
  ports.join(1, late.port);
  expect(await heardBy([early, late], 2)).toEqual([
    [1, END],
    [2, END],
  ]);
});

test("a sender parts with sites: at its word, at its end, or at once when it never came", async () => {
  const ports = createSenderPorts(systemClock);
  const parted: unknown[] = [];
  ports.tell(hearing([], parted));
  ports.part(0, ["a.example"]);
  expect(parted).toEqual([[0, [{ site: "a.example", standing: null }]]]);
  const { port, other } = sender();
  ports.join(0, port);
  ports.part(0, ["b.example"]);
  expect(parted).toHaveLength(1);
  other.postMessage({ say: "parted", parted: [{ site: "b.example", standing: null }] });
  await until("its word", () => parted.length === 2);
  ports.retire(0);
  ports.part(0, ["c.example"]);
  other.postMessage({ say: "bye" });
  await until("its end", () => parted.length === 3);
  expect(parted.slice(1)).toEqual([
    [0, [{ site: "b.example", standing: null }]],
    [0, "all"],
  ]);
});
