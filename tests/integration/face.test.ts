// The API's face in the compiled binary: its documents without the web, answers that wait for the end, warnings that a new key ends.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { accepted, email, settled } from "../../src/submit/openapiMessages.ts";
import { event } from "../../src/submit/openapiEventShapes.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Daemon;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-face-"));
  daemon = await startDaemon({
    dataDir: folder,
    flags: ["--workers", "1", "--hostname", "one.test"],
  });
}, TEST_MS);
afterAll(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

const letter = { from: "a@one.test", to: "delivered@postrider.test", subject: "s", text: "t" };

interface Sent {
  readonly id: string;
  readonly status: string;
  readonly recipients: readonly { readonly status: string; readonly last: string }[];
  readonly warnings: readonly { readonly code: string }[];
}

async function send(more: object, headers: Record<string, string> = {}) {
  const response = await daemon.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ ...letter, ...more }),
  });
  return { response, body: (await response.json()) as Sent };
}

test("the document is valid OpenAPI, and the page has all of its parts within the binary", async () => {
  const document = await (await fetch(`${daemon.url}/openapi.json`)).json();
  const checked = await new Validator().validate(document as never);
  expect(checked.valid).toBe(true);
  const html = await (await fetch(`${daemon.url}/docs`)).text();
  const parts = [...html.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map((one) => one[1] ?? "");
  const sizes = await Promise.all(
    parts.map(async (part) => (await (await fetch(daemon.url + part)).arrayBuffer()).byteLength),
  );
  expect(sizes.toSorted((a, b) => b - a)[0]).toBeGreaterThan(1_000_000);
});

test("an answer that waits tells how it ended for everyone", async () => {
  const to = ["delivered@postrider.test", "bounced@postrider.test"];
  const { response, body } = await send({ to }, { prefer: "wait=30" });
  expect(response.status).toBe(200);
  expect(response.headers.get("preference-applied")).toBe("wait=30");
  expect(settled.safeParse(body).error).toBeUndefined();
  expect(body.recipients.map(({ status }) => status)).toEqual(["delivered", "bounced"]);
  expect(body.recipients[1]?.last).toStartWith("550 5.1.1");
});

test("an answer whose time is up is the usual one", async () => {
  const { response, body } = await send({ scheduled_at: "in 1 hour" }, { prefer: "wait=1" });
  expect([response.status, body.status]).toEqual([202, "scheduled"]);
  expect(accepted.safeParse(body).error).toBeUndefined();
});

test("the Date of mail that is moved is the time of its release", async () => {
  const { body } = await send({ scheduled_at: "in 2 hours" });
  const at = new Date(Math.floor(Date.now() / 1000) * 1000 + 18_000_000);
  const moved = await daemon.request(`/emails/${body.id}`, {
    method: "PATCH",
    body: JSON.stringify({ scheduled_at: at.toISOString() }),
  });
  expect(moved.status).toBe(200);
  const source = await (await daemon.request(`/emails/${body.id}/raw`)).text();
  expect(new Date(/^Date: (.*)$/m.exec(source)?.[1] ?? "")).toEqual(at);
});

test("a From without a key is warned of until there is one, also later", async () => {
  const first = await send({ html: "<p>Good day</p>", text: undefined }, { prefer: "wait=30" });
  expect(first.body.warnings.map(({ code }) => code)).toEqual(["from_not_aligned"]);
  await daemon.request("/domains", {
    method: "POST",
    body: JSON.stringify({ name: "one.test" }),
  });
  const second = await send({}, { prefer: "wait=30" });
  expect(second.body.warnings).toEqual([]);
  const below = await send({ from: "a@news.one.test" });
  expect(below.body.warnings).toEqual([]);
  const shown: unknown = await (await daemon.request(`/emails/${first.body.id}`)).json();
  expect(email.safeParse(shown).error).toBeUndefined();
  expect(shown).toMatchObject({ warnings: ["from_not_aligned"], last_event: "delivered" });
  const events = (await (await daemon.request(`/emails/${first.body.id}/events`)).json()) as {
    data: readonly unknown[];
  };
  for (const one of events.data) expect(event.safeParse(one).error).toBeUndefined();
  expect(events.data[0]).toMatchObject({
    type: "email.sent",
    data: { postrider: { warnings: ["from_not_aligned"] } },
  });
});

test("whoever waits when the daemon ends hears that the message is stored", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "postrider-face-end-"));
  const ending = await startDaemon({
    dataDir,
    flags: ["--workers", "1", "--hostname", "one.test"],
  });
  const waiting = ending.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json", prefer: "wait=60" },
    body: JSON.stringify({ ...letter, scheduled_at: "in 1 hour" }),
  });
  await until("the message is there", async () => {
    const list = (await (await ending.request("/emails")).json()) as { data: readonly unknown[] };
    return list.data.length === 1;
  });
  const [response] = await Promise.all([waiting, ending.stop()]);
  expect([response.status, await response.json()]).toMatchObject([202, { status: "scheduled" }]);
  rmSync(dataDir, { recursive: true, force: true });
});
