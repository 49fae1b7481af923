// The built-in inbox as the reader shows it.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIds, hostTag, uuidOf } from "../../src/mail/id.ts";
import { inboxFile, packInboxFacts } from "../../src/mail/inbox.ts";
import type { Answer, InboxFilter, InboxItem, InboxView, ListView } from "../../src/mail/query.ts";
import { createInbox, type Inbox } from "../../src/search/inbox.ts";

const NOW = Date.UTC(2026, 0, 1);
const tag = hostTag(new Uint8Array(8).fill(9));

let folder: string;
let inbox: Inbox;
let ids: (now: number) => number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-inbox-"));
  inbox = createInbox(folder);
  ids = createIds(0);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(message: string, { from = "me@a.example", to = ["you@b.example"] } = {}): string {
  const id = uuidOf(ids(NOW), tag);
  const facts = packInboxFacts({ from, to, received_at: "2026-01-01T00:00:00.000Z" });
  writeFileSync(join(folder, inboxFile(id)), facts + message.replaceAll("\n", "\r\n"));
  return id;
}

function viewOf<T>(answer: Answer): T {
  if (answer.kind !== "found") throw new Error(answer.kind);
  return answer.view as T;
}

async function list(filter: Partial<InboxFilter> = {}): Promise<ListView<InboxItem>> {
  return viewOf(await inbox.list({ limit: 10, ...filter }));
}

const subjects = async (filter: Partial<InboxFilter> = {}): Promise<string[]> =>
  (await list(filter)).data.map((one) => one.subject);

test("the newest come first, page by page in both directions", async () => {
  const all = ["a", "b", "c", "d"].map((subject) => put(`Subject: ${subject}\n\nx`));
  expect(await subjects()).toEqual(["d", "c", "b", "a"]);
  const first = await list({ limit: 2 });
  expect([first.has_more, first.data.map((one) => one.subject)]).toEqual([true, ["d", "c"]]);
  const second = await list({ limit: 2, after: all[2] ?? "" });
  expect([second.has_more, second.data.map((one) => one.subject)]).toEqual([false, ["b", "a"]]);
  const back = await list({ limit: 2, before: all[0] ?? "" });
  expect([back.has_more, back.data.map((one) => one.subject)]).toEqual([true, ["c", "b"]]);
  expect(await inbox.list({ limit: 1, after: "x" })).toMatchObject({ kind: "invalid" });
  expect(await inbox.list({ limit: 1, after: all[0] ?? "", before: all[1] ?? "" })).toMatchObject({
    field: "before",
  });
});

test("a list can be asked for one recipient, sender or subject", async () => {
  put("From: Ada <ada@x.example>\nSubject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\n\nx", {
    to: ["one@b.example", "Two@b.example"],
  });
  put("From: Bob <bob@x.example>\nSubject: other\n\nx");
  expect(await subjects({ to: "two@b.example" })).toEqual(["Grüße"]);
  expect(await subjects({ to: "b.example" })).toEqual([]);
  put("Subject: far\n\nx", { to: ["Ann@xn--mnchen-3ya.example"] });
  expect(await subjects({ to: "ann@MÜNCHEN.example" })).toEqual(["far"]);
  expect(await subjects({ from: "bob@" })).toEqual(["other"]);
  expect(await subjects({ from: "me@a.example" })).toEqual(["far", "other", "Grüße"]);
  expect(await subjects({ subject: "grüß" })).toEqual(["Grüße"]);
});

test("a message is taken apart", async () => {
  const id = put(
    [
      "From: Ada <ada@x.example>",
      "To: B <you@b.example>, list: c@d.example, e@f.example;",
      "Cc: z@y.example",
      "Message-ID: <1@x>",
      "Subject: parts",
      "Content-Type: multipart/mixed; boundary=q",
      "",
      "--q\nContent-Type: text/plain; charset=utf-8\n\nHällo",
      "--q\nContent-Type: text/html\n\n<p>Hi",
      '--q\nContent-Type: application/pdf; name="a.pdf"\nContent-ID: <i1>\nContent-Disposition: attachment; filename="a.pdf"\nContent-Transfer-Encoding: base64\n\nAAEC',
      "--q--",
    ].join("\n"),
  );
  const view = viewOf<InboxView>(await inbox.one(id));
  expect(view).toMatchObject({
    object: "inbox_message",
    id,
    envelope: { from: "me@a.example", to: ["you@b.example"] },
    message_id: "<1@x>",
    from: "Ada <ada@x.example>",
    to: ["B <you@b.example>", "c@d.example", "e@f.example"],
    cc: ["z@y.example"],
    subject: "parts",
    header_only: false,
  });
  expect(view.text?.trim()).toContain("Hällo");
  expect(view.html).toContain("<p>Hi");
  expect(view.headers[0]).toEqual({ name: "From", value: "Ada <ada@x.example>" });
  expect(view.attachments).toEqual([
    {
      filename: "a.pdf",
      content_type: "application/pdf",
      content_id: "i1",
      disposition: "attachment",
      size_bytes: 3,
    },
  ]);
});

test("one that is too large shows its header", async () => {
  const id = put(`Subject: large\n\n${"x".repeat(16_000_001)}`);
  const view = viewOf<InboxView>(await inbox.one(id));
  expect(view).toMatchObject({ subject: "large", text: null, header_only: true });
  expect(view.size_bytes).toBe(16_000_019);
});

test("a message may have no header and its facts many recipients", async () => {
  const to = Array.from({ length: 5_000 }, (_, i) => `user-number-${i}@b.example`);
  const id = put("", { to });
  expect(viewOf<InboxView>(await inbox.one(id)).envelope.to).toHaveLength(5_000);
  expect(await subjects({ to: "user-number-4999@b.example" })).toEqual([""]);
});

test("what a power cut has left is passed over", async () => {
  put("Subject: whole\n\n");
  for (const left of ["", "\0\0\0\0\n", '"text"\nx', '{"from":1}\nx'])
    writeFileSync(join(folder, inboxFile(uuidOf(ids(NOW), tag))), left);
  expect(await subjects()).toEqual(["whole"]);
});

test("what is gone is missing, and no name leads out of the folder", async () => {
  const id = put("Subject: x\n\n");
  writeFileSync(join(folder, `${id}.eml.part`), "half");
  expect((await list()).data).toHaveLength(1);
  unlinkSync(join(folder, inboxFile(id)));
  for (const one of [id, "../inbox", "", `${id}/..`])
    expect(await inbox.one(one)).toEqual({ kind: "missing" });
  expect(await createInbox(join(folder, "none")).list({ limit: 1 })).toMatchObject({
    kind: "found",
  });
});
