// The query of every list: what is not known, or cannot be meant, is refused in the same words.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createFixture, type Fixture, KEY, message, network } from "./doorFixture.ts";

const LISTS = ["/api-keys", "/emails", "/events", "/inbox", "/suppressions", "/webhooks"];

let fixture: Fixture;
beforeEach(() => {
  fixture = createFixture();
});
afterEach(() => fixture.close());

async function refusalOf(path: string): Promise<[string, number, string | undefined]> {
  const response = await fixture.get(path);
  const { errors } = (await response.json()) as { errors?: { pointer: string }[] };
  return [path, response.status, errors?.[0]?.pointer];
}

test.each(LISTS)("%s refuses a parameter that it does not know", async (list) => {
  expect(await refusalOf(`${list}?colour=red`)).toEqual([`${list}?colour=red`, 422, "?colour"]);
});

test.each(LISTS)("%s refuses a parameter that is given twice", async (list) => {
  const path = `${list}?after=1&after=2`;
  expect(await refusalOf(path)).toEqual([path, 422, "?after"]);
});

test.each(LISTS)("%s has pages of 1 to 100 rows, written in digits", async (list) => {
  for (const limit of ["0", "101", "1e1", "%205", "0x10", "ten", ""]) {
    const path = `${list}?limit=${limit}`;
    expect(await refusalOf(path)).toEqual([path, 422, "?limit"]);
  }
});

test.each(["/api-keys", "/events", "/webhooks"])("%s goes one way at a time", async (list) => {
  const path = `${list}?after=1&before=2`;
  expect(await refusalOf(path)).toEqual([path, 422, "?before"]);
});

const bodies: Readonly<Record<string, string>> = { "POST /reports": "message/rfc822" };

test("no route ignores a parameter", async () => {
  const keyless = /^(?:\/(?:livez|readyz|metrics|openapi\.json|docs.*|ui.*)?|\/\*)$/;
  const routes = fixture.door.routes().filter((route) => !keyless.test(route.split(" ")[1] ?? ""));
  expect(routes.length).toBeGreaterThan(50);
  for (const route of routes) {
    // That there is no such webhook is said before.
    if (route === "GET /webhooks/:id/events") continue;
    const [method = "", path = ""] = route.split(" ");
    const request = new Request(`http://door.test${path.replace(/:\w+/g, "x")}?colour=red`, {
      method,
      headers: {
        authorization: `Bearer ${KEY}`,
        "content-type": bodies[route] ?? "application/json",
      },
      ...(method === "GET" || method === "DELETE" ? {} : { body: "{}" }),
    });
    const response = await fixture.door.fetch(request, network);
    const { errors } = (await response.json()) as { errors?: { pointer: string }[] };
    expect([route, response.status, errors?.[0]?.pointer]).toEqual([route, 422, "?colour"]);
  }
});

test("to send takes no parameter but for a raw message", async () => {
  const refused = await fixture.post("/send?priority=p0", message);
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    errors: [{ pointer: "?priority", detail: "It is not known; known: none." }],
  });
  expect(fixture.taken).toEqual([]);
  expect((await fixture.post("/send?", message)).status).toBe(202);
});
