import { expect, test } from "bun:test";
import { createBox, fakeDaemon } from "./setup.ts";

const view = (id: string, name: string, change: object = {}) => ({
  ...{ object: "api_key", id, name, permission: "sending_access", scopes: ["send"], domains: null },
  ...{ rate: null, burst: null, daily_quota: null, used_today: null, queue_max: null },
  ...{ capture: false, created_at: "2026-11-23T12:00:00.000Z", expires_at: null, expired: false },
  last_used_at: null,
  ...change,
});
const busy = {
  rate: "20/s",
  daily_quota: 50,
  used_today: 7,
  capture: true,
  domains: ["a.example"],
};
const keys = [
  view("id-1", "shop", { ...busy, last_used_at: "2026-11-23T12:00:00.000Z" }),
  view("id-2", "news", { expires_at: "2026-11-24T12:00:00.000Z" }),
  view("id-3", "twin", { expired: true, expires_at: "2026-11-20T12:00:00.000Z" }),
  view("id-4", "twin"),
  view("id-5", "evil\u001b[2J"),
];

async function ran(...args: string[]) {
  await using daemon = fakeDaemon(({ method, path }) => {
    if (method === "POST") return { status: 201, body: { ...keys[0], token: "pr_secret" } };
    if (method === "PATCH") return { body: { ...keys[0], rate: "5/s" } };
    if (method === "DELETE")
      return { body: { object: "api_key", id: path.split("/").at(-1), deleted: true } };
    return { body: { object: "list", has_more: false, data: keys } };
  });
  const result = await createBox().run(["key", ...args, "--data-dir", daemon.dataDir]);
  return { ...result, seen: daemon.seen };
}

test("create says what the key may do, and prints the token on a line of its own", async () => {
  const terms = ["--scope", "send,read", "--domain", "a.example", "--domain", "b.example"];
  const limits = ["--rate", "5/s", "--burst", "9", "--daily-quota", "10", "--queue-max", "20"];
  const { code, out, seen } = await ran(
    ...["create", "shop", ...terms, ...limits, "--expires-in", "90d", "--capture"],
  );
  expect(code).toBe(0);
  expect(JSON.parse(seen[0]?.body ?? "")).toEqual({
    ...{ name: "shop", scopes: ["send", "read"], domains: ["a.example", "b.example"] },
    ...{ rate: "5/s", burst: 9, daily_quota: 10, queue_max: 20, expires_in: "90d", capture: true },
  });
  expect(out.split("\n")[0]).toBe("pr_secret");
});

test("list shows each key's limits and life, and steers no terminal", async () => {
  const { out } = await ran("list");
  const [shop, news, twin] = out.split("\n");
  expect(shop).toMatch(/a\.example +20\/s, 7 of 50 today, captured +used 2026-11-23 12h UTC$/);
  expect(news).toMatch(/any domain +no limit +never used/);
  expect(news).toContain("until 2026-11-24");
  expect(twin).toContain("EXPIRED");
  expect(out).not.toContain("\u001b");
  expect(JSON.parse((await ran("list", "--json")).out)).toHaveLength(keys.length);
});

test("update and revoke take the name where one key has it, and the id always", async () => {
  const updated = await ran("update", "shop", "--rate", "5/s", "--name", "store");
  expect(updated.seen.at(-1)).toMatchObject({ method: "PATCH", path: "/api-keys/id-1" });
  expect(JSON.parse(updated.seen.at(-1)?.body ?? "")).toEqual({ rate: "5/s", name: "store" });
  expect((await ran("revoke", "id-3")).seen.at(-1)?.path).toBe("/api-keys/id-3");
  const twins = await ran("revoke", "twin");
  expect([twins.code, twins.seen.length]).toEqual([1, 1]);
  expect(twins.err).toContain("several keys have this name");
  expect((await ran("revoke", "nobody")).err).toContain("there is no such key");
});

test("a number that is none is told before anything is asked", async () => {
  const { code, err, seen } = await ran("create", "shop", "--burst", "many");
  expect([code, seen.length]).toEqual([64, 0]);
  expect(err).toContain("--burst: found many; allowed: a whole number");
});
