// What the queue wants back: what waits comes back untried, a running session ends so long as its final dot has not been sent.
import { expect, test } from "bun:test";
import type { DeliverSettings } from "../../src/deliver/settings.ts";
import { until } from "../fixtures/until.ts";
import type { Act } from "./fakeMx.ts";
import { recipients, rigsOfEachTest, stepOf, type Rig } from "./rig.ts";

const createRig = rigsOfEachTest();

/** A server that answers `verb` only when it is told to. */
async function startHeldAt(
  verb: string,
  settings: Partial<DeliverSettings> = {},
): Promise<{ rig: Rig; at(): boolean; go(): void }> {
  let go = (): void => {};
  let at = false;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const script = async (said: string): Promise<Act> => {
    if (said === verb && !at) {
      at = true;
      await gate;
    }
    return undefined;
  };
  const rig = await createRig({
    servers: [{ script }],
    settings: { siteConnections: 1, ...settings },
  });
  return { rig, at: () => at, go };
}

const all = { by: "all", cut: false } as const;

test("what waits for a connection comes back untried, and what runs goes on", async () => {
  const held = await startHeldAt("MAIL");
  for (let i = 0; i < 4; i++) held.rig.send();
  await until("a session", held.at);
  expect(held.rig.sender.recall(all)).toEqual([]);
  expect(held.rig.verdicts.map(({ kind, message }) => [kind, message])).toEqual([
    ["interrupted", 2],
    ["interrupted", 3],
    ["interrupted", 4],
  ]);
  held.go();
  expect((await held.rig.verdictsOf(4)).at(-1)).toMatchObject({ kind: "delivered", message: 1 });
});

test("a message, a domain and a site are told apart", async () => {
  const held = await startHeldAt("MAIL");
  const to = (n: number, domain: string) => ({
    recipients: [{ n: 0, address: `a@${domain}`, claim: n, attempts: 0 }],
  });
  held.rig.send();
  await until("a session", held.at);
  held.rig.send(to(2, "one.example"));
  held.rig.send(to(3, "two.example"));
  held.rig.send({ site: "other.example" });
  const { sender, verdicts } = held.rig;
  sender.recall({ by: "domain", name: "one.example", cut: false });
  expect(verdicts.map(({ message }) => message)).toEqual([2]);
  sender.recall({ by: "site", name: "other.example", cut: false });
  expect(verdicts.map(({ message }) => message)).toEqual([2, 4]);
  sender.recall({ by: "message", message: 3, cut: true });
  expect(verdicts.map(({ message }) => message)).toEqual([2, 4, 3]);
  held.go();
  await held.rig.verdictsOf(4);
});

test.each(["MAIL", "RCPT", "DATA"])(
  "a session before its dot (%s) is cut, without doubt",
  async (verb) => {
    const held = await startHeldAt(verb);
    held.rig.send();
    await until("a session", held.at);
    expect(held.rig.sender.recall({ by: "message", message: 1, cut: true })).toEqual([]);
    const [verdict] = await held.rig.verdictsOf(1);
    expect(verdict).toMatchObject({ kind: "interrupted", doubt: false });
    expect(stepOf(verdict!).outcome).toBe("interrupted");
    held.go();
    await until("the server's end", () => held.rig.servers[0]?.openSessions() === 0);
    expect(held.rig.servers[0]?.messages()).toEqual([]);
  },
);

test("a session past its dot is left alone, and says which recipients are out of reach", async () => {
  const held = await startHeldAt(".");
  const recipients = [4, 7].map((n) => ({
    ...{ n, address: `to${n}@example.net`, claim: n, attempts: 0 },
  }));
  held.rig.send({ recipients });
  await until("the dot", held.at);
  const late = held.rig.sender.recall({ by: "message", message: 1, cut: true });
  expect(late).toEqual([{ message: 1, places: [4, 7] }]);
  held.go();
  expect((await held.rig.verdictsOf(2)).map(({ kind }) => kind)).toEqual([
    "delivered",
    "delivered",
  ]);
});

test.each([
  ["RCPT", [], ["interrupted", "interrupted", "interrupted"]],
  [".", [0, 1], ["delivered", "delivered", "interrupted"]],
])("of what needs several transactions, none is begun after %s", async (verb, places, kinds) => {
  const held = await startHeldAt(verb, { transactionRecipients: 2 });
  held.rig.send({ recipients: recipients("a", "b", "c") });
  await until("the first transaction", held.at);
  const late = held.rig.sender.recall({ by: "message", message: 1, cut: true });
  expect(late).toEqual(places.length === 0 ? [] : [{ message: 1, places }]);
  held.go();
  const told = (await held.rig.verdictsOf(3)).map(({ kind }): string => kind);
  expect(told).toEqual(kinds);
});

test("a message whose commands left behind another's dot is not sent, and the other one is in no doubt", async () => {
  // From the second message on the connection has shown that its dots are quick.
  let hold = false;
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  const script = async (said: string): Promise<Act> => {
    if (said === "." && hold) await gate;
    return undefined;
  };
  const rig = await createRig({ servers: [{ script }], settings: { siteConnections: 1 } });
  rig.send();
  await rig.verdictsOf(1);
  hold = true;
  rig.send();
  rig.send();
  const { servers, sender } = rig;
  await until("the commands of the third message", () =>
    (servers[0]?.sessions[0]?.pending ?? "").includes("to3@example.net"),
  );
  expect(sender.recall({ by: "message", message: 3, cut: true })).toEqual([]);
  go();
  const verdicts = await rig.verdictsOf(3);
  expect(verdicts.slice(1)).toMatchObject([
    { message: 2, kind: "delivered", doubt: false },
    { message: 3, kind: "interrupted", doubt: false },
  ]);
  await until("the connection's end", () => servers[0]?.openSessions() === 0);
  expect(servers[0]?.messages()).toHaveLength(2);
});
