// What the API says of itself: every route and no other, in a document that others accept, and as a page that needs nothing from outside.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { eventTypes } from "../../src/mail/event.ts";
import { errorNames } from "../../src/submit/problem.ts";
import { createFixture, type Fixture, network } from "./doorFixture.ts";

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, object>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}
interface Schema {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, object>>;
}
interface Operation {
  readonly summary?: string;
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, { readonly headers?: object }>>;
}

let fixture: Fixture;
let document: Document;

/** Without a key. */
const get = async (path: string): Promise<Response> =>
  fixture.door.fetch(new Request(`http://door.test${path}`), network);

beforeAll(async () => {
  fixture = createFixture();
  document = (await (await get("/openapi.json")).json()) as Document;
});
afterAll(() => fixture.close());

test("every route stands in the document, and the document names no other", () => {
  const routes = fixture.door
    .routes()
    // The parts of the pages are no part of the API.
    .filter((route) => !/^ALL |^GET \/(?:docs\/|ui\/page\.)/.test(route))
    .map((route) => route.replaceAll(/:(\w+)/g, "{$1}"));
  const named = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(named.sort()).toEqual([...new Set(routes)].sort());
});

test("it is OpenAPI 3.1, as a validator that is not ours says", async () => {
  expect(document.openapi).toBe("3.1.0");
  const { valid, errors } = await new Validator().validate(document as never);
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined as never });
});

test("every operation says what it does, how it ends well and how it fails", () => {
  const open = new Set(["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/"]);
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, { summary, responses }] of Object.entries(methods)) {
      const statuses = Object.keys(responses);
      expect([method, path, summary?.endsWith(".")]).toEqual([method, path, true]);
      expect([path, statuses.some((status) => status.startsWith("2"))]).toEqual([path, true]);
      if (!open.has(path)) expect([path, statuses.includes("401")]).toEqual([path, true]);
    }
});

test("what a message needs comes from the schema that checks it", () => {
  expect(document.components.schemas["Message"]?.required).toEqual(["from", "to", "subject"]);
});

test("what is refused without a key, and the headers of answers, stand there too", () => {
  const responses = (path: string, method = "get") => document.paths[path]?.[method]?.responses;
  expect(Object.keys(responses("/readyz") ?? {})).toEqual(["200", "503"]);
  expect(Object.keys(responses("/metrics") ?? {})).toEqual(["200", "401", "403", "429"]);
  for (const [path, status, header] of [
    ["/send", 202, "location"],
    ["/send", 200, "idempotent-replayed"],
    ["/emails/batch", 200, "idempotent-replayed"],
    ["/send", 429, "retry-after"],
    ["/send", 429, "ratelimit-limit"],
    ["/send", 503, "retry-after"],
  ] as const)
    expect([path, Object.keys(responses(path, "post")?.[status]?.headers ?? {})]).toEqual([
      path,
      expect.arrayContaining([header]),
    ]);
});

test("mail is moved in the words that schedule it", () => {
  const { patch } = document.paths["/emails/{id}"] ?? {};
  const schema = patch?.requestBody?.content["application/json"]?.schema;
  const ofMessage = document.components.schemas["Message"]?.properties?.["scheduled_at"];
  expect(ofMessage).toBeDefined();
  expect(schema?.properties?.["scheduled_at"]).toEqual(ofMessage);
});

test("every event that there is may come by a webhook", () => {
  expect(Object.keys(document.webhooks)).toEqual(expect.arrayContaining([...eventTypes]));
});

test("the page is whole, needs no key and nothing from elsewhere", async () => {
  const page = await get("/docs");
  expect(page.headers.get("content-type")).toContain("text/html");
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("http");
  const html = await page.text();
  expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
  const parts = [...html.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map((one) => one[1] ?? "");
  expect(parts).toHaveLength(3);
  for (const part of parts) {
    const response = await get(part);
    expect([part, response.status]).toEqual([part, 200]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await response.text()).length).toBeGreaterThan(50);
  }
});

test("every error's type leads to its line on the page", async () => {
  const html = await (await get("/docs")).text();
  for (const name of errorNames) expect(html).toContain(`<tr id="${name}">`);
});
