// Keys that change, or end, while a request with them is under way.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { localUser } from "../../src/submit/localUser.ts";
import { KEY, message, network, problemOf } from "./doorFixture.ts";
import { createKeyStage, type KeyStage } from "./keyFixture.ts";

let stage: KeyStage;
beforeEach(() => void (stage = createKeyStage()));
afterEach(() => stage.close());

const from = (address: string) => ({ ...message, from: address });
const status = async (...ask: Parameters<KeyStage["ask"]>) => (await stage.ask(...ask)).status;

/** A request whose body ends when it is told to. */
function slow(method: string, path: string, token: string, body: object) {
  let finish: () => void = () => undefined;
  const text = JSON.stringify(body);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from(text.slice(0, 9)));
      finish = () => {
        controller.enqueue(Buffer.from(text.slice(9)));
        controller.close();
      };
    },
  });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const request = new Request(`http://door.test${path}`, { method, headers, body: stream });
  const answer = stage.fixture.door.fetch(request, network);
  return {
    async finish() {
      finish();
      return problemOf(await answer);
    },
  };
}

test("a key that is revoked, or may no longer send, while a body comes takes nothing more", async () => {
  for (const end of ["DELETE", "PATCH"] as const) {
    const { id, token } = await stage.create({ domains: ["shop.example"] });
    const sending = slow("POST", "/send", token, from("a@shop.example"));
    const change = end === "PATCH" ? { scopes: ["read"] } : undefined;
    expect(await status(end, `/api-keys/${id}`, change)).toBe(200);
    expect((await sending.finish()).name).toBe("invalid_api_key");
  }
  expect(stage.accepted).toEqual([]);
  // Without a key nothing can be revoked.
  const { door } = stage.fixture;
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(message);
  const local = new Request("http://door.test/send", { method: "POST", headers, body });
  const peer = { caller: localUser, addressOf: () => null };
  expect((await door.fetch(local, peer)).status).toBe(202);
});

test("a key that is revoked while a body comes makes and changes no other", async () => {
  const { id, token } = await stage.create({});
  const other = await stage.create({});
  const open = [
    slow("POST", "/api-keys", token, { name: "back door" }),
    slow("PATCH", `/api-keys/${other.id}`, token, { name: "mine" }),
  ];
  expect(await status("DELETE", `/api-keys/${id}`)).toBe(200);
  for (const one of open) expect((await one.finish()).name).toBe("invalid_api_key");
  const list = (await (await stage.ask("GET", "/api-keys")).json()) as { data: { name: string }[] };
  expect(list.data.map(({ name }) => name)).toEqual(["a key"]);
});

test("of two changes that meet each changes what it says", async () => {
  const { id } = await stage.create({});
  const late = slow("PATCH", `/api-keys/${id}`, KEY, { name: "late" });
  expect(await status("PATCH", `/api-keys/${id}`, { domains: ["shop.example"], rate: "5/s" })).toBe(
    200,
  );
  const ends = { name: "late", domains: ["shop.example"], rate: "5/s" };
  expect(await late.finish()).toMatchObject(ends);
  expect(await (await stage.ask("GET", `/api-keys/${id}`)).json()).toMatchObject(ends);
});
