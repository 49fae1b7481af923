// POST /send as a form: what JSON says in fields, a form says in its parts. Large files wait on the disk without a name, so that
// nothing is left of them however the request ends.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import type { Submission } from "../../src/mail/submission.ts";
import { type Fixture, createFixture, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const fields = { from: "a@example.com", to: "b@example.org", subject: "Grüße", text: "See it." };

/** As every client writes it; `change` may take a field out. */
function formOf(change: Record<string, string | readonly string[] | null> = {}): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, ...change }))
    for (const one of [value ?? []].flat()) form.append(name, one);
  return form;
}

async function send(form: FormData): Promise<Response> {
  const request = new Request("http://door.test/", { method: "POST", body: form });
  const type = request.headers.get("content-type") ?? "";
  return fixture.post("/send", await request.bytes(), { "content-type": type });
}

const files = (): string[] => readdirSync(fixture.spoolFolder);

function bytesOf({ head, body }: Submission): Buffer {
  if (head.body.kind === "inline") return Buffer.from(body ?? []);
  return readFileSync(join(fixture.spoolFolder, head.body.file));
}

async function only() {
  const [taken, ...others] = fixture.taken;
  if (taken === undefined || others.length > 0) throw new Error("one message is expected");
  return { head: taken.head, mail: await simpleParser(bytesOf(taken), { skipTextToHtml: true }) };
}

describe("a form", () => {
  test("says what JSON says", async () => {
    const form = formOf({
      to: ["Ada <ada@example.org>", "bo@example.org"],
      cc: '["c@example.org","d@example.org"]',
      headers: '{"X-Order":"17"}',
      tags: '[{"name":"kind","value":"receipt"}]',
      metadata: '{"order":"17"}',
      priority: "p0",
      reference: "R-17",
    });
    expect((await send(form)).status).toBe(202);
    const { head, mail } = await only();
    expect(head.recipients).toEqual([
      ...["ada@example.org", "bo@example.org", "c@example.org", "d@example.org"],
    ]);
    expect(head.priority).toBe(0);
    expect(JSON.parse(head.facts)).toMatchObject({
      reference: "R-17",
      metadata: { order: "17" },
      tags: [{ name: "kind", value: "receipt" }],
    });
    expect([mail.subject, mail.text?.trim()]).toEqual(["Grüße", "See it."]);
    expect(mail.headers.get("x-order")).toBe("17");
  });

  test("carries files, small and large, with what is said of them", async () => {
    const large = new Uint8Array(700_000).map((_, i) => (i * 7919) >> 8);
    const form = formOf({ html: '<img src="cid:logo">' });
    form.append("attachments", new File(["hello"], "привет.txt", { type: "text/plain" }));
    form.append("inline[logo]", new File([large.subarray(5)], "logo.png", { type: "image/png" }));
    form.append("attachments", new File([large], "large.bin"));
    form.append("attachments", new File([], ""));
    form.append("attachments[2]", new File(["%PDF"], "a.pdf", { type: "" }));
    form.append("attachments", '[{"filename":"j.txt","content":"aGk="}]');
    expect((await send(form)).status).toBe(202);
    const { head, mail } = await only();
    expect(head.body.kind).toBe("spool");
    const found = mail.attachments.map((one) => [one.filename, one.contentType, one.size]);
    expect(found).toEqual([
      ["logo.png", "image/png", 699_995],
      ["j.txt", "text/plain", 2],
      ["привет.txt", "text/plain", 5],
      ["large.bin", "application/octet-stream", 700_000],
      ["a.pdf", "application/pdf", 4],
    ]);
    expect(mail.attachments[0]?.cid).toBe("logo");
    expect(Buffer.from(large.subarray(5)).equals(mail.attachments[0]?.content as Buffer)).toBe(
      true,
    );
    expect(Buffer.from(large).equals(mail.attachments[3]?.content as Buffer)).toBe(true);
    // Only the message itself has a name.
    expect(files()).toHaveLength(1);
  });

  test("that is refused leaves nothing on the disk, whatever was wrong", async () => {
    const large = new File([new Uint8Array(900_000)], "large.bin");
    const bad = formOf({ to: "nobody", subject: null });
    bad.append("attachments", large);
    const first = await send(bad);
    expect(first.status).toBe(422);
    expect((await problemOf(first)).errors?.map((one) => one.pointer)).toEqual(["/to", "/subject"]);
    const misplaced = formOf();
    misplaced.append("attachments", large);
    misplaced.append("photo", new File(["x"], "x.png"));
    const second = await send(misplaced);
    expect((await problemOf(second)).errors).toMatchObject([
      { pointer: "/photo", code: "unknown_field" },
    ]);
    expect([fixture.taken.length, files()]).toEqual([0, []]);
  });

  test("that the queue does not take leaves nothing on the disk", async () => {
    fixture.answer = { kind: "refused", why: "queue_full", retryAfterS: 1 };
    const form = formOf();
    form.append("attachments", new File([new Uint8Array(900_000)], "large.bin"));
    expect((await send(form)).status).toBe(503);
    expect(files()).toEqual([]);
  });

  test.each([
    [{ subject: ["a", "b"] }, "/subject", "too_many"],
    [{ headers: "{" }, "/headers", "invalid_value"],
    [{ metadata: `${'{"a":'.repeat(40)}1${"}".repeat(40)}` }, "/metadata/a", "invalid_value"],
    [{ bogus: "x" }, "/bogus", "unknown_field"],
    [{ __proto__x: "x" }, "/__proto__x", "unknown_field"],
    [{ text: "x".repeat(2_100_000) }, "/text", "too_long"],
    [{ tags: "[]", to: Array(51).fill("a@b.example") }, "/to", "too_many"],
  ] as const)("with a bad field is refused at its place (%#)", async (change, pointer, code) => {
    const response = await send(formOf(change));
    expect(response.status).toBe(422);
    const [error] = (await problemOf(response)).errors ?? [];
    expect(error?.pointer.startsWith(pointer)).toBe(true);
    expect(error?.code).toBe(code);
  });

  test("that names a member twice in a field of JSON is refused at its place, as JSON is", async () => {
    const attachments = '[{"filename":"a.txt","content":"aGk=","content":"aG8="}]';
    const headers = '{"X-A":"1","X-A":"2"}';
    const { errors = [] } = await problemOf(await send(formOf({ headers, attachments })));
    expect(errors.map(({ pointer, code }) => `${code} ${pointer}`)).toEqual([
      "conflict /headers/X-A",
      "conflict /attachments/0/content",
    ]);
    expect(fixture.calls).toEqual([]);
  });

  test("in another character set is refused, not guessed", async () => {
    const body = (type: string, text: string) =>
      `--b\r\nContent-Disposition: form-data; name="text"\r\nContent-Type: ${type}\r\n\r\n${text}\r\n--b--\r\n`;
    const post = (text: string) =>
      fixture.post("/send", Buffer.from(text, "latin1"), {
        "content-type": "multipart/form-data; boundary=b",
      });
    const named = await post(body("text/plain; charset=iso-8859-1", "Gr\xfc\xdfe"));
    expect((await problemOf(named)).errors).toMatchObject([{ pointer: "/text" }]);
    const unnamed = await post(body("text/plain", "Gr\xfc\xdfe"));
    expect((await problemOf(unnamed)).errors).toMatchObject([{ pointer: "/text" }]);
  });

  test("that cannot be taken apart is 400 and says why", async () => {
    const type = { "content-type": "multipart/form-data; boundary=b" };
    const cut = await fixture.post("/send", "--b\r\n", type);
    const problem = await problemOf(cut);
    expect([problem.status, problem.name]).toEqual([400, "invalid_json"]);
    expect(problem.detail).toContain("closing boundary");
    const none = await fixture.post("/send", "x", { "content-type": "multipart/form-data" });
    expect((await problemOf(none)).detail).toContain("names no boundary");
  });
});
