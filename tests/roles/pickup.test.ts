// The pickup folder from the daemon's side: each file once through the door, whatever else lies there.
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { packEnvelope, partsOf, pickupName } from "../../src/mail/pickup.ts";
import { createPickup, type Pickup } from "../../src/roles/pickup.ts";
import { localUser } from "../../src/submit/localUser.ts";

interface Asked {
  readonly query: string;
  readonly key: string | null;
  readonly body: string;
  readonly caller: number;
}

let folder: string;
let asked: Asked[] = [];
let logged: string[] = [];
let answers: Response[] = [];
let pickups: Pickup[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-pickup-"));
  asked = [];
  logged = [];
  answers = [];
});
afterEach(async () => {
  for (const one of pickups) await one.stop();
  pickups = [];
  rmSync(folder, { recursive: true, force: true });
});

/** One look at the folder. */
async function look(): Promise<void> {
  const pickup = createPickup({
    folders: [{ path: folder, caller: localUser }],
    door: {
      async send(request, peer) {
        asked.push({
          query: request.url.slice(request.url.indexOf("?") + 1),
          key: request.headers.get("idempotency-key"),
          body: await request.text(),
          caller: peer.caller?.key ?? 0,
        });
        return answers.shift() ?? Response.json({ id: "x" }, { status: 202 });
      },
    },
    clock: systemClock,
    log: (_level, event) => void logged.push(event),
  });
  pickups.push(pickup);
  await pickup.start();
  await pickup.stop();
}

const newName = (at = systemClock.now()): string => pickupName(at, systemRandom.bytes);
const envelope = { from: "me@a.example", to: ["you@b.example"] };

function put(
  text = `${packEnvelope(envelope)}Subject: x\r\n\r\nbody\r\n`,
  name = newName(),
): string {
  writeFileSync(join(folder, name), text);
  return name;
}

test("a message goes through the door as its writer left it, and its file goes with it", async () => {
  const name = put();
  await look();
  const [part] = partsOf(name, envelope);
  expect(asked).toEqual([
    {
      query: part?.query ?? "",
      key: part?.idempotencyKey ?? "",
      body: "Subject: x\r\n\r\nbody\r\n",
      caller: -1,
    },
  ]);
  expect(readdirSync(folder)).toEqual([]);
  expect(logged).toEqual(["pickup.taken"]);
});

test("the oldest come first, and parts of one message are asked for one by one", async () => {
  const to = Array.from({ length: 70 }, (_, i) => `u${i}@x.example`);
  put(`${packEnvelope({ ...envelope, to })}two`, newName(2_000));
  put(`${packEnvelope(envelope)}one`, newName(1_000));
  await look();
  expect(asked.map((one) => one.body)).toEqual(["one", "two", "two"]);
  expect(new Set(asked.map((one) => one.key)).size).toBe(3);
});

test("while no mail is taken everything stays, and nothing else is tried", async () => {
  put();
  put();
  answers = [Response.json({ name: "disk_low", detail: "" }, { status: 503 })];
  await look();
  expect(asked).toHaveLength(1);
  expect(readdirSync(folder)).toHaveLength(2);
});

test("one that fails for reasons of ours waits, and holds up no other", async () => {
  put(undefined, newName(1_000));
  put(undefined, newName(2_000));
  answers = [Response.json({ name: "internal_server_error", detail: "" }, { status: 500 })];
  await look();
  expect(asked).toHaveLength(2);
  expect(readdirSync(folder)).toHaveLength(1);
  expect(logged).toEqual(["pickup.failed", "pickup.taken"]);
});

test("what is damaged or refused is set aside and said, never removed", async () => {
  const broken = put("no envelope here\n");
  const cut = put("");
  const refused = put(undefined, newName(2 ** 42));
  answers = [Response.json({ name: "validation_error", detail: "No." }, { status: 422 })];
  await look();
  expect(readdirSync(folder)).toEqual(["failed"]);
  expect(readdirSync(join(folder, "failed")).sort()).toEqual([broken, cut, refused].sort());
  expect(logged).toEqual(["pickup.set_aside", "pickup.set_aside", "pickup.set_aside"]);
  expect(asked).toHaveLength(1);
});

test("nothing is set aside into a folder that somebody else put there", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "postrider-elsewhere-"));
  try {
    symlinkSync(elsewhere, join(folder, "failed"));
    const name = put("no envelope\n");
    await look();
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(existsSync(join(folder, name))).toBe(true);
    expect(logged).toEqual(["pickup.stuck"]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test("links and folders of others are not followed, and files of other names not touched", async () => {
  const secret = join(folder, "secret");
  writeFileSync(secret, `${packEnvelope(envelope)}secret`);
  symlinkSync(secret, join(folder, newName()));
  linkSync(secret, join(folder, newName()));
  mkdirSync(join(folder, newName()));
  await look();
  expect(asked).toEqual([]);
  expect(existsSync(secret)).toBe(true);
  expect(logged).toEqual(["pickup.set_aside", "pickup.set_aside", "pickup.set_aside"]);
});

test("a writer at work is left alone, and what a dead one left goes after a day", async () => {
  const [fresh, old] = [`.${newName()}`, `.${newName()}`];
  put("half", fresh);
  put("half", old);
  const dayBefore = systemClock.now() / 1000 - 2 * 86_400;
  utimesSync(join(folder, old), dayBefore, dayBefore);
  await look();
  expect(readdirSync(folder)).toEqual([fresh]);
});

test("a folder that is not there holds nothing", async () => {
  rmSync(folder, { recursive: true });
  await look();
  expect([asked, logged]).toEqual([[], []]);
});

test("nothing is taken from a folder whose files could not be removed", async () => {
  put();
  chmodSync(folder, 0o1777);
  const euid = process.geteuid ?? (() => 0);
  try {
    process.geteuid = () => 4_000_000;
    await look();
  } finally {
    process.geteuid = euid;
  }
  expect([asked, logged]).toEqual([[], ["pickup.not_ours"]]);
  expect(readdirSync(folder)).toHaveLength(1);
});
