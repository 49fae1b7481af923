// The sockets of the runtime folder: who may do what by them, and whose files are left alone.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import type { Log } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config.ts";
import { packEnvelope, pickupName } from "../../src/mail/pickup.ts";
import {
  groupNumber,
  openLocal,
  openRuntimeSockets,
  ownSocket,
} from "../../src/roles/localSockets.ts";
import type { Listener } from "../../src/submit/serve.ts";
import { until } from "../fixtures/until.ts";
import { createFixture, type Fixture, message } from "../submit/doorFixture.ts";

let folder: string;
let fixture: Fixture;
let listeners: Listener[] = [];
let logged: string[] = [];
const log: Log = (_level, event) => void logged.push(event);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-run-"));
  fixture = createFixture();
  logged = [];
});
afterEach(async () => {
  for (const one of listeners) await one.stopNow();
  listeners = [];
  fixture.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(runtimeDir = folder): Promise<void> {
  const opened = await openRuntimeSockets(fixture.door, { runtimeDir, dataDir: "/data" }, log);
  listeners.push(...opened);
}

const ask = (socket: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://postrider${path}`, { unix: join(folder, socket), ...init });
const post = { method: "POST", body: JSON.stringify(message) };

test("by the socket for everybody mail can be sent, and nothing else", async () => {
  await open();
  expect(statSync(join(folder, "submit.sock")).mode & 0o777).toBe(0o666);
  expect((await ask("submit.sock", "/send", post)).status).toBe(202);
  for (const path of ["/emails", "/queue"])
    expect((await ask("submit.sock", path)).status).toBe(401);
  const pause = await ask("submit.sock", "/queue/pause", { method: "POST", body: "{}" });
  expect(pause.status).toBe(401);
});

test("what comes by it is told apart from what the owner sends", async () => {
  await open();
  await ask("submit.sock", "/send", post);
  await ask("control.sock", "/send", post);
  expect(fixture.taken.map(({ head }) => head.key)).toEqual([-1, undefined]);
});

test("the other socket is full access, for the group only where there is one", async () => {
  await open();
  // The reader of this fixture knows nothing, but it is asked.
  expect((await ask("control.sock", "/queue")).status).toBe(404);
  const { mode, gid } = statSync(join(folder, "control.sock"));
  if ((mode & 0o777) !== 0o600) expect(gid).toBeGreaterThan(0);
});

test("a file that a dead daemon left is replaced, and one that is served is not", async () => {
  writeFileSync(join(folder, "submit.sock"), "");
  await open();
  expect(listeners).toHaveLength(2);
  await open();
  expect(listeners).toHaveLength(2);
  expect(logged).toEqual(["local.socket_taken", "local.socket_taken"]);
  expect((await ask("submit.sock", "/send", post)).status).toBe(202);
});

test("without the folder the daemon says so and goes on", async () => {
  await open(join(folder, "missing"));
  expect(listeners).toEqual([]);
  expect(logged).toEqual(["local.no_runtime_dir"]);
});

test("a group's number is read from its own line alone", () => {
  const groups = "root:x:0:\nnotpostrider:x:7:\npostrider:x:991:www\nbad:x:\n";
  expect(groupNumber("postrider", groups)).toBe(991);
  expect(groupNumber("bad", groups)).toBeUndefined();
  expect(groupNumber("none", groups)).toBeUndefined();
});

test("the socket of the data folder is its owner's", () => {
  expect(ownSocket({ dataDir: "/data" })).toMatchObject({
    path: "/data/control.sock",
    mode: 0o600,
  });
});

test("other folders are taken by a reload, and nothing is left behind at the end", async () => {
  const path = (name: string): string => join(folder, name);
  for (const name of ["data", "one", "two", "drop"]) mkdirSync(path(name));
  const config = (runtimeDir: string, pickupDir: string | null): Config =>
    ({ dataDir: path("data"), runtimeDir, pickupDir }) as Config;
  const opened: string[] = [];
  const doors = await openLocal(fixture.door, config(path("one"), null), log, (one) =>
    opened.push(one),
  );
  expect(opened).toEqual([path("data/control.sock")]);
  expect(readdirSync(path("one"))).toEqual(["control.sock", "submit.sock"]);
  const name = pickupName(systemClock.now(), systemRandom.bytes);
  const envelope = packEnvelope({ from: "", to: ["a@b.example"] });
  writeFileSync(path(`drop/${name}`), `${envelope}From: a@b.example\r\n\r\nx`);
  await doors.configure(config(path("two"), path("drop")));
  expect(readdirSync(path("one"))).toEqual([]);
  expect((await ask("two/submit.sock", "/send", post)).status).toBe(202);
  await until("the other pickup folder is looked at", () => readdirSync(path("drop")).length === 0);
  expect(fixture.taken.map(({ head }) => head.key)).toEqual([-1, -1]);
  await doors.stop();
  await doors.stopNow();
  expect([readdirSync(path("data")), readdirSync(path("two"))]).toEqual([[], []]);
});
