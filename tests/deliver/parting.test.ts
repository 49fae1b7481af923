// Sites that become another sender's: what ends here, and what goes on there.
import { expect, test } from "bun:test";
import type { Parted } from "../../src/mail/handover.ts";
import { until } from "../fixtures/until.ts";
import type { Act } from "./fakeMx.ts";
import { rigsOfEachTest } from "./rig.ts";

const start = rigsOfEachTest();

test("sites that become another sender's have no idle connection any more, the others keep theirs", async () => {
  const { send, verdictsOf, servers, sender } = await start({ servers: [{}] });
  send({}, { route: { site: "a" } });
  send({}, { route: { site: "b" } });
  await verdictsOf(2);
  await until("both to be idle", () => sender.gauges().idle === 2);
  const gone: Parted[] = [];
  sender.part(["a", "unknown"], (parted) => void gone.push(...parted));
  await until("both to be gone", () => gone.length === 2);
  expect(gone.map(({ site, standing }) => `${site} ${standing === null}`).toSorted()).toEqual([
    "a false",
    "unknown true",
  ]);
  expect(sender.gauges()).toMatchObject({ connections: 1, idle: 1 });
  await until("the connection to end", () => servers[0]?.openSessions() === 1);
  expect(sender.sites().map(({ site }) => site)).toEqual(["b"]);
});

test("the rate and the number of connections of a site go on with the next sender", async () => {
  const settings = { messageRate: { count: 1, perMs: 60_000 } };
  const first = await start({ servers: [{}], settings });
  first.send({}, { route: { site: "a" } });
  await first.verdictsOf(1);
  const gone: Parted[] = [];
  first.sender.part(["a"], (parted) => void gone.push(...parted));
  await until("it to be gone", () => gone.length === 1);

  const next = await start({ servers: [{}], settings });
  next.sender.adopt(structuredClone(gone));
  next.send({}, { route: { site: "a" } });
  await until("it to wait", () => next.sender.gauges().waiting === 1);
  expect(next.sender.sites()[0]?.message_wait_ms).toBeGreaterThan(50_000);
  expect(next.verdicts).toEqual([]);
});

test("a sender in the place of one that died has nothing of a rate in hand: what was spent is not known", async () => {
  const settings = { messageRate: { count: 1, perMs: 60_000 } };
  const { sender, send, verdicts } = await start({ servers: [{}], settings, replaces: true });
  send({}, { route: { site: "a" } });
  await until("it to wait", () => sender.gauges().waiting === 1);
  expect(sender.sites()[0]?.message_wait_ms).toBeGreaterThan(50_000);
  expect(verdicts).toEqual([]);
});

test("a connection on its way to a site that becomes another sender's is given up, and then it is gone", async () => {
  const gate = Promise.withResolvers<void>();
  const script = async (verb: string): Promise<Act> => {
    if (verb === "EHLO") await gate.promise;
    return undefined;
  };
  const { send, verdictsOf, sender } = await start({ servers: [{ script }] });
  send({}, { route: { site: "a" } });
  await until("it to be on its way", () => sender.gauges().opening === 1);
  sender.recall({ by: "all", cut: false });
  expect((await verdictsOf(1)).map(({ kind }) => kind)).toEqual(["interrupted"]);
  const gone: Parted[] = [];
  sender.part(["a"], (parted) => void gone.push(...parted));
  await until("nothing to be left", () => gone.length === 1);
  expect(sender.gauges()).toMatchObject({ sites: 0, connections: 0, opening: 0 });
  gate.resolve();
});
