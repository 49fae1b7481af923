// The inbox by HTTP: sources to the octet, removal, and lists that wait for their message.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inboxFile, packInboxFacts } from "../../src/mail/inbox.ts";
import { createFixture, type Fixture, KEY, network, problemOf } from "./doorFixture.ts";

const ID = "0199aa00-0000-7000-8000-000000000000";
const OTHER = "0199aa00-0001-7000-8000-000000000000";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

function put(id: string, message: string): void {
  const facts = packInboxFacts({ from: "", to: ["a@b.example"], received_at: "now" });
  writeFileSync(join(fixture.spoolFolder, inboxFile(id)), facts + message);
}

const remove = async (path: string): Promise<Response> =>
  fixture.door.fetch(
    new Request(`http://door.test${path}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${KEY}` },
    }),
    network,
  );

test("a source comes as it was taken, and never as a page", async () => {
  const message = `Subject: x\r\n\r\n${"é\n".repeat(100_000)}`;
  put(ID, message);
  const response = await fixture.get(`/inbox/${ID}/raw`);
  expect(await response.text()).toBe(message);
  expect(response.headers.get("content-type")).toBe("message/rfc822");
  expect(response.headers.get("content-disposition")).toBe("attachment");
  expect(response.headers.get("content-length")).toBe(String(Buffer.byteLength(message)));
});

test("one message goes by its id, all go together", async () => {
  put(ID, "x");
  put(OTHER, "y");
  writeFileSync(join(fixture.spoolFolder, "else"), "");
  expect(await (await remove(`/inbox/${ID}`)).json()).toEqual({
    object: "inbox_message",
    id: ID,
    deleted: true,
  });
  expect((await remove(`/inbox/${ID}`)).status).toBe(404);
  expect(await (await remove("/inbox")).json()).toEqual({
    object: "inbox",
    count: 1,
    deleted: true,
  });
  expect(readdirSync(fixture.spoolFolder)).toEqual(["else"]);
});

test("no id leads out of the folder", async () => {
  writeFileSync(join(fixture.spoolFolder, "api-key"), "secret\n");
  for (const id of ["api-key", "..%2Fapi-key", "%2e%2e"])
    expect((await fixture.get(`/inbox/${id}/raw`)).status).toBe(404);
  for (const id of ["api-key", "..%2Fapi-key"])
    expect((await remove(`/inbox/${id}`)).status).toBe(404);
  // As a URL this is the address of the dashboard, which nobody removes.
  expect((await remove("/inbox/%2e%2e")).status).toBe(405);
});

test("a filter reaches the reader, and what is no filter is refused", async () => {
  fixture.reply = { kind: "found", view: { object: "list", has_more: false, data: [] } };
  const query = "to=a%40b.example&from=me&subject=x&limit=3";
  expect((await fixture.get(`/inbox?${query}`)).status).toBe(200);
  const filter = { to: "a@b.example", from: "me", subject: "x", limit: 3 };
  expect(fixture.asked).toEqual([{ ask: "inbox", filter }]);
  for (const wrong of ["tag=x", "limit=0", "limit=101", `to=${"x".repeat(1025)}`]) {
    const problem = await problemOf(await fixture.get(`/inbox?${wrong}`));
    expect(problem.name).toBe("validation_error");
  }
});

test("a list waits for its message when it is told to", async () => {
  let asked = 0;
  const empty = { object: "list", has_more: false, data: [] };
  const full = { ...empty, data: [{ id: ID }] };
  fixture.close();
  fixture = createFixture({
    ask: async () => ({ kind: "found", view: ++asked < 4 ? empty : full }),
  });
  expect(await (await fixture.get("/inbox", { prefer: "wait=20" })).json()).toEqual(full);
  expect(asked).toBe(5);
});

test("an answer that the reader does not give is a 503, and a message that is not there a 404", async () => {
  fixture.reply = { kind: "busy" };
  expect((await fixture.get(`/inbox/${ID}`)).status).toBe(503);
  fixture.reply = { kind: "missing" };
  expect((await fixture.get(`/inbox/${ID}`)).status).toBe(404);
});
