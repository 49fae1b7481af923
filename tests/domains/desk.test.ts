import { afterAll, describe, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import type { Answer } from "../../src/dns/answer.ts";
import { openBook } from "../../src/domains/book.ts";
import type { Look } from "../../src/domains/check.ts";
import { createDesk, type Desk } from "../../src/domains/desk.ts";
import type { Origin } from "../../src/domains/records.ts";
import type { DkimKey } from "../../src/mail/dkim/key.ts";
import type { DomainAnswer, DomainRecord, DomainView } from "../../src/mail/domain.ts";
import * as rfc from "../mail/dkim/rfc8463.ts";

const root = mkdtempSync(join(tmpdir(), "postrider-desk-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;

const hostname = "mail.shop.example";
const here: Origin = {
  hostname,
  addresses: [{ address: "192.0.2.1", ehlo: hostname }],
  relays: [],
};
const settingsKey: DkimKey = { domain: "set.example", selector: "k1", pem: rfc.rsaPem };

interface Scene {
  readonly desk: Desk;
  /** What every sender was last told to sign with. */
  readonly told: (readonly DkimKey[])[];
  /** Name to texts; a name that is not there does not exist. */
  readonly zone: Map<string, string[]>;
  opened: number;
}

async function setUp(options: { folder?: string; origin?: Origin } = {}): Promise<Scene> {
  const book = await openBook(options.folder ?? join(root, String(folders++)), () => {});
  const scene: Scene = {
    told: [],
    zone: new Map(),
    opened: 0,
    desk: createDesk({
      book,
      clock: { now: () => Date.UTC(2026, 10, 23, 7) },
      random: seededRandom(1),
      settingsKeys: () => [settingsKey],
      origin: () => options.origin ?? here,
      openDns: () => {
        scene.opened++;
        return { look: lookIn(scene.zone), close: () => void scene.opened-- };
      },
      signWith: async (keys) => void scene.told.push(keys),
    }),
  };
  return scene;
}

/** Knows no MX. */
function lookIn(zone: Map<string, string[]>): Look {
  return async <T>(_type: string, name: string): Promise<Answer<T>> => {
    const records = zone.get(name);
    if (name.startsWith("silent")) return { kind: "unknown", why: "timeout", freshUntil: 0 };
    if (records === undefined)
      return { kind: "none", why: "nxdomain", freshUntil: 0, secure: false };
    return { kind: "found", records: records as T[], freshUntil: 0, secure: false };
  };
}

function viewOf(answer: DomainAnswer): DomainView {
  if (answer.kind !== "domain") throw new Error(JSON.stringify(answer));
  return answer.view;
}

const publish = (zone: Map<string, string[]>, records: readonly DomainRecord[]): void =>
  records.forEach(({ name, value }) => zone.set(name, [value]));
const statuses = (view: DomainView): Record<string, string> =>
  Object.fromEntries(view.records.map((one) => [one.record, one.status]));

describe("adding a domain", () => {
  test("makes a key of each kind, and has every sender sign with them", async () => {
    const { desk, told } = await setUp();
    const view = viewOf(await desk.add("Shop.Example.", null));
    expect(view).toMatchObject({ object: "domain", name: "shop.example", status: "not_started" });
    expect(view.id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(view.keys.map(({ algorithm, bits }) => [algorithm, bits])).toEqual([
      ["rsa-sha256", 2048],
      ["ed25519-sha256", 256],
    ]);
    expect(told).toHaveLength(1);
    expect(told[0]?.map((key) => key.domain)).toEqual([
      "set.example",
      "shop.example",
      "shop.example",
    ]);
    for (const key of told[0] ?? []) expect(createPrivateKey(key.pem).type).toBe("private");
  });

  test("names the records that are needed", async () => {
    const { desk } = await setUp();
    const { records } = viewOf(await desk.add("shop.example", "s1"));
    expect(records.map(({ record, type, name }) => `${record} ${type} ${name}`)).toEqual([
      "DKIM TXT s1._domainkey.shop.example",
      "DKIM TXT s1-ed._domainkey.shop.example",
      "SPF TXT shop.example",
      "DMARC TXT _dmarc.shop.example",
      "EHLO A mail.shop.example",
      "PTR PTR 1.2.0.192.in-addr.arpa",
    ]);
    expect(records.map((one) => one.value).slice(2)).toEqual([
      "v=spf1 a:mail.shop.example ip4:192.0.2.1 ~all",
      "v=DMARC1; p=none",
      "192.0.2.1",
      "mail.shop.example",
    ]);
  });

  test("is refused for what is no domain, for a bad selector and for one that is there", async () => {
    const { desk, told } = await setUp();
    for (const name of [
      "",
      "localhost",
      "a b.example",
      "x@y.example",
      "../etc",
      "[192.0.2.1]",
      "a..example",
    ])
      expect(await desk.add(name, null)).toMatchObject({ kind: "invalid", field: "name" });
    for (const selector of ["", "-a", "a.b", "../x", "a".repeat(51)])
      expect(await desk.add("shop.example", selector)).toMatchObject({
        kind: "invalid",
        field: "selector",
      });
    expect(await desk.add("set.example", "k1")).toMatchObject({ field: "selector" });
    expect(told).toEqual([]);
    const both = await Promise.all([
      desk.add("shop.example", null),
      desk.add("shop.example", null),
    ]);
    expect(both.map((one) => one.kind)).toEqual(["domain", "conflict"]);
  });

  test("takes a name in any script, as its A-labels", async () => {
    const { desk } = await setUp();
    expect(viewOf(await desk.add("Bücher.example", null)).name).toBe("xn--bcher-kva.example");
  });

  test("makes another selector on every host", async () => {
    const names = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const book = await openBook(join(root, String(folders++)), () => {});
      const desk = createDesk({
        book,
        clock: { now: () => 0 },
        random: seededRandom(seed),
        settingsKeys: () => [],
        origin: () => here,
        openDns: () => ({ look: lookIn(new Map()), close: () => {} }),
        signWith: async () => {},
      });
      names.add(viewOf(await desk.add("shop.example", null)).keys[0]?.selector ?? "");
    }
    expect(names.size).toBe(3);
  });
});

test("what was added is there after a restart, with its id", async () => {
  const folder = join(root, String(folders++));
  const before = await setUp({ folder });
  const view = viewOf(await before.desk.add("shop.example", null));
  const after = await setUp({ folder });
  expect(viewOf(after.desk.get(view.id))).toEqual(view);
  expect(after.desk.keys()).toEqual(before.desk.keys());
});

test("a removed domain is signed no more", async () => {
  const { desk, told } = await setUp();
  const { id } = viewOf(await desk.add("shop.example", null));
  expect(viewOf(await desk.remove(id)).name).toBe("shop.example");
  expect(told.at(-1)).toEqual([settingsKey]);
  expect(desk.get("shop.example")).toEqual({ kind: "missing" });
  expect(await desk.remove(id)).toEqual({ kind: "missing" });
});

test("a domain of the settings is shown, and removed there only", async () => {
  const { desk } = await setUp();
  const [view] = desk.list();
  expect(view).toMatchObject({ name: "set.example" });
  expect(view?.keys).toEqual([
    { selector: "k1", algorithm: "rsa-sha256", bits: 1024, origin: "settings" },
  ]);
  expect(viewOf(desk.get(view?.id ?? "")).name).toBe("set.example");
  expect(await desk.remove("set.example")).toMatchObject({ kind: "conflict" });
});

describe("a check", () => {
  test("finds everything as it should be", async () => {
    const { desk, zone } = await setUp();
    const { records } = viewOf(await desk.add("shop.example", null));
    publish(zone, records);
    const view = viewOf(await desk.verify("shop.example"));
    expect(view.status).toBe("verified");
    expect(statuses(view)).toEqual({
      DKIM: "verified",
      SPF: "verified",
      DMARC: "verified",
      EHLO: "verified",
      PTR: "verified",
    });
    expect(viewOf(desk.get("shop.example"))).toEqual(view);
  });

  test("says what is there instead", async () => {
    const { desk, zone } = await setUp();
    const { records } = viewOf(await desk.add("shop.example", "s1"));
    const [rsa, ed] = records;
    const cases: readonly (readonly [string, string[], string])[] = [
      [rsa?.name ?? "", [], "Nothing is there yet"],
      [rsa?.name ?? "", [rfc.rsaRecord], "Another key is there"],
      [rsa?.name ?? "", ["v=DKIM1; p="], "revoked"],
      [rsa?.name ?? "", [rsa?.value ?? "", rfc.rsaRecord], "More than one"],
      [ed?.name ?? "", [(ed?.value ?? "").replace("k=ed25519; ", "")], "k=ed25519 is missing"],
      ["shop.example", ["v=spf1 -all"], "Add a:mail.shop.example ip4:192.0.2.1"],
      ["shop.example", ["v=spf1 a ~all", "v=spf1 mx ~all"], "More than one"],
      ["_dmarc.shop.example", ["something else"], "No DMARC record"],
      ["_dmarc.shop.example", ["v=DMARC1; p=perhaps"], "not known"],
      ["mail.shop.example", ["198.51.100.9"], "leads elsewhere"],
    ];
    for (const [name, found, detail] of cases) {
      zone.clear();
      publish(zone, records);
      zone.set(name, found);
      const view = viewOf(await desk.verify("shop.example"));
      const record = view.records.find((one) => one.name === name);
      expect([name, record?.status]).toEqual([name, "failed"]);
      expect(record?.detail).toContain(detail);
    }
  });

  test("asks for the name of each address that mail leaves from, and whether it leads back", async () => {
    const { desk, zone } = await setUp();
    const { records } = viewOf(await desk.add("shop.example", "s1"));
    const reverse = "1.2.0.192.in-addr.arpa";
    const check = async (): Promise<string> => {
      const view = viewOf(await desk.verify("shop.example"));
      // It is advice: what the domain itself needs is there.
      expect(view.status).toBe("verified");
      const { status, detail } = view.records.find((one) => one.record === "PTR") ?? {};
      return `${status}: ${detail}`;
    };
    publish(zone, records);
    expect(await check()).toBe("verified: ");
    zone.delete(reverse);
    expect(await check()).toStartWith("failed: The address has no name");
    zone.set(reverse, ["host1.provider.example"]);
    expect(await check()).toStartWith(
      "failed: The address is named host1.provider.example, which does not lead back to it.",
    );
    zone.set("host1.provider.example", ["192.0.2.1"]);
    expect(await check()).toBe(
      "verified: The address is named host1.provider.example; EHLO says mail.shop.example: set both to one name.",
    );
    zone.set(reverse, ["host1.provider.example", "mail.shop.example"]);
    expect(await check()).toBe("verified: ");
    zone.set(hostname, ["198.51.100.1"]);
    zone.delete("host1.provider.example");
    expect(await check()).toStartWith("failed: The address is named host1.provider.example and");
  });

  test("takes a key whose text was cut, spaced and ordered otherwise", async () => {
    const { desk, zone } = await setUp();
    const { records } = viewOf(await desk.add("shop.example", "s1"));
    publish(zone, records);
    const [rsa] = records;
    const p = (rsa?.value ?? "").split("p=")[1] ?? "";
    zone.set(rsa?.name ?? "", [`p=${p.slice(0, 100)} ${p.slice(100)} ; n=note; v=DKIM1`]);
    zone.set("shop.example", ["v=spf1 include:other.example +A:MAIL.shop.example -all"]);
    zone.set("other.example", ["v=spf1 ip4:198.51.100.0/24 -all"]);
    zone.set("_dmarc.shop.example", ["v=DMARC1; p=reject; rua=mailto:d@shop.example"]);
    expect(viewOf(await desk.verify("shop.example")).status).toBe("verified");
  });

  test("that gets no answer says nothing of the domain, and closes what it opened", async () => {
    const scene = await setUp();
    await scene.desk.add("silent.example", "silent");
    const view = viewOf(await scene.desk.verify("silent.example"));
    expect(statuses(view)).toMatchObject({ DKIM: "temporary_failure", SPF: "temporary_failure" });
    expect(scene.opened).toBe(0);
    expect(await scene.desk.verify("none.example")).toEqual({ kind: "missing" });
  });
});

test("mail through a relay names the relay in SPF, and no address of this host", async () => {
  const { desk } = await setUp({
    origin: { ...here, relays: ["smtp.relay.example", "192.0.2.9"] },
  });
  const { records } = viewOf(await desk.add("shop.example", null));
  expect(records.map((one) => one.record)).toEqual(["DKIM", "DKIM", "SPF", "DMARC"]);
  expect(records[2]?.value).toBe("v=spf1 a:smtp.relay.example ip4:192.0.2.9 ~all");
});

test("SPF is judged by what receivers will find, and not printed where nothing is known", async () => {
  const { desk, zone } = await setUp();
  const { records } = viewOf(await desk.add("shop.example", null));
  publish(zone, records);
  zone.set("shop.example", ["v=spf1 include:net.example -all"]);
  zone.set("net.example", ["v=spf1 ip4:192.0.2.0/24 -all"]);
  expect(statuses(viewOf(await desk.verify("shop.example")))).toMatchObject({ SPF: "verified" });
  zone.set("net.example", ["v=spf1 ip4:198.51.100.0/24 -all"]);
  const view = viewOf(await desk.verify("shop.example"));
  expect(view.records.find((one) => one.record === "SPF")?.detail).toContain(
    "does not let mail come from 192.0.2.1 (fail)",
  );
  const nowhere = await setUp({ origin: { hostname: null, addresses: [], relays: [] } });
  const unknown = viewOf(await nowhere.desk.add("shop.example", null));
  expect(unknown.records.map((one) => one.record)).toEqual(["DKIM", "DKIM", "DMARC"]);
});
