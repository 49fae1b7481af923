import { afterAll, expect, test } from "bun:test";
import type { DomainAnswer, DomainView } from "../../src/mail/domain.ts";
import { createFixture, KEY, network } from "./doorFixture.ts";

const view: DomainView = {
  object: "domain",
  id: "0199aa00-0000-7000-8000-000000000000",
  name: "shop.example",
  status: "not_started",
  created_at: "2026-11-23T07:00:00.000Z",
  keys: [],
  records: [],
};
let listed: readonly DomainView[] = [view];
const calls: (readonly unknown[])[] = [];
let said: DomainAnswer = { kind: "domain", view };
const note = (...call: readonly unknown[]): DomainAnswer => {
  calls.push(call);
  return said;
};
const fixture = createFixture({
  domains: {
    list: () => listed,
    get: (id) => note("get", id),
    add: async (name, selector) => note("add", name, selector),
    remove: async (id) => note("remove", id),
    verify: async (id) => note("verify", id),
  },
});
afterAll(fixture.close);

const remove = (path: string): Promise<Response> | Response =>
  fixture.door.fetch(
    new Request(`http://door.test${path}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${KEY}` },
    }),
    network,
  );

async function nameOf(response: Response): Promise<readonly unknown[]> {
  return [response.status, ((await response.json()) as { name: string }).name];
}

test("a domain is added, listed, shown, checked and removed", async () => {
  said = { kind: "domain", view };
  const added = await fixture.post("/domains", { name: "shop.example", selector: "s1" });
  expect([added.status, await added.json()]).toEqual([201, view]);
  const found = await fixture.get("/domains");
  expect(await found.json()).toEqual({ object: "list", has_more: false, data: [view] });
  expect(await (await fixture.get(`/domains/${view.id}`)).json()).toEqual(view);
  expect((await fixture.post("/domains/shop.example/verify", {})).status).toBe(200);
  const removed = await remove(`/domains/${view.id}`);
  expect(await removed.json()).toEqual({ object: "domain", id: view.id, deleted: true });
  expect(calls).toEqual([
    ["add", "shop.example", "s1"],
    ["get", view.id],
    ["verify", "shop.example"],
    ["remove", view.id],
  ]);
});

test("many domains are listed by pages where somebody asks for them", async () => {
  const one = (n: number): DomainView => ({ ...view, id: `${view.id.slice(0, -1)}${n}` });
  listed = [one(3), one(2), one(1)];
  const page = async (query: string) => {
    const response = await fixture.get(`/domains${query}`);
    const { data, has_more } = (await response.json()) as { data: DomainView[]; has_more: boolean };
    return [data.map(({ id }) => Number(id.slice(-1))), has_more];
  };
  expect(await page("")).toEqual([[3, 2, 1], false]);
  expect(await page("?limit=2")).toEqual([[3, 2], true]);
  expect(await page(`?limit=2&after=${one(2).id}`)).toEqual([[1], false]);
  expect(await page(`?before=${one(2).id}`)).toEqual([[3], false]);
  for (const query of ["?limit=0", "?after=x", "?foo=1"])
    expect((await fixture.get(`/domains${query}`)).status).toBe(422);
  // By name, and not by age: what stood behind one that is gone cannot be told by its id.
  listed = [one(5), one(1), one(9)];
  expect((await fixture.get(`/domains?after=${one(3).id}`)).status).toBe(422);
  expect(await page(`?after=${one(1).id}`)).toEqual([[9], false]);
  listed = [view];
});

test("each way to fail has its status and its name", async () => {
  const cases: readonly (readonly [DomainAnswer, number, string])[] = [
    [{ kind: "invalid", field: "name", detail: "No." }, 422, "validation_error"],
    [{ kind: "conflict", detail: "There already." }, 409, "conflict"],
    [{ kind: "missing" }, 404, "not_found"],
    [{ kind: "failed", detail: "ENOSPC" }, 503, "disk_low"],
  ];
  for (const [answer, status, name] of cases) {
    said = answer;
    expect(await nameOf(await fixture.post("/domains", { name: "a.example" }))).toEqual([
      status,
      name,
    ]);
  }
  said = { kind: "missing" };
  expect((await remove("/domains/x")).status).toBe(404);
});

test("a body that is none of ours is refused before anything is done", async () => {
  calls.length = 0;
  for (const [body, name] of [
    [{ name: 1 }, "validation_error"],
    [{ name: "a.example", region: "eu" }, "validation_error"],
    [[], "validation_error"],
    [{ name: "a.example", selector: {} }, "validation_error"],
    [{ name: "x".repeat(5000) }, "message_too_large"],
  ] as const)
    expect((await nameOf(await fixture.post("/domains", body)))[1]).toBe(name);
  const broken = await fixture.post("/domains", new TextEncoder().encode("{"));
  expect(await nameOf(broken)).toEqual([400, "invalid_json"]);
  expect(calls).toEqual([]);
});
