// `postrider inbox` and `mailq`: what they ask for, what they print, and how they end.
import { describe, expect, test } from "bun:test";
import { createBox, fakeDaemon } from "./setup.ts";

const ID = "0199aa00-0000-7000-8000-000000000000";

const item = {
  object: "inbox_message",
  id: ID,
  received_at: "2026-01-01T00:00:00.000Z",
  envelope: { from: "me@a.example", to: ["you@b.example"] },
  message_id: "<1@a>",
  from: "Me <me@a.example>",
  to: ["you@b.example"],
  subject: "Hello\u001b[31m",
  size_bytes: 10,
};
const view = {
  ...item,
  cc: [],
  reply_to: [],
  headers: [{ name: "Subject", value: "Hello" }],
  text: "line one\n\u001b[2Jline two\n",
  html: null,
  attachments: [
    {
      filename: "a.pdf",
      content_type: "application/pdf",
      content_id: null,
      disposition: "attachment",
      size_bytes: 3,
    },
  ],
  header_only: false,
};
const listOf = (data: readonly object[], has_more = false) => ({
  body: { object: "list", has_more, data },
});

describe("inbox", () => {
  test("lists what it holds, and no subject steers the terminal", async () => {
    await using daemon = fakeDaemon(() => listOf([item], true));
    const args = ["--to", "you@b.example", "--from", "me", "--subject", "Hel"];
    const box = createBox();
    const { code, out } = await box.run(["inbox", "list", ...args, "--data-dir", daemon.dataDir]);
    expect(code).toBe(0);
    expect(daemon.seen[0]?.path).toBe("/inbox?limit=20&to=you%40b.example&from=me&subject=Hel");
    expect(out).toContain("Me <me@a.example>  you@b.example  Hello?[31m\nand more\n");
  });

  test("--wait ends with 1 when nothing came in time", async () => {
    await using daemon = fakeDaemon(() => listOf([]));
    const at = ["--data-dir", daemon.dataDir];
    const box = createBox();
    expect(await box.run(["inbox", "list", "--wait", "2s", ...at])).toMatchObject({
      code: 1,
      out: "nothing\n",
    });
    expect((await box.run(["inbox", "list", ...at])).code).toBe(0);
    expect((await box.run(["inbox", "list", "--wait", "soon", ...at])).code).toBe(64);
  });

  test("shows one message with its parts, and its source as it is", async () => {
    await using daemon = fakeDaemon(({ path }) =>
      path.endsWith("/raw") ? { body: Uint8Array.of(0x48, 0xe9) } : { body: view },
    );
    const at = ["--data-dir", daemon.dataDir];
    const box = createBox();
    const { out } = await box.run(["inbox", "show", ID, ...at]);
    expect(out).toContain("attachment  a.pdf, application/pdf, 3 bytes");
    expect(out).toEndWith("\nline one\n?[2Jline two\n");
    expect(JSON.parse((await box.run(["inbox", "show", ID, "--json", ...at])).out)).toEqual(view);
    expect((await box.run(["inbox", "raw", ID, ...at])).out).toBe("H\u00e9");
  });

  test("is cleared as a whole or by one", async () => {
    await using daemon = fakeDaemon(({ path }) => ({
      body: path === "/inbox" ? { object: "inbox", count: 7, deleted: true } : { deleted: true },
    }));
    const at = ["--data-dir", daemon.dataDir];
    const box = createBox();
    expect((await box.run(["inbox", "clear", ...at])).out).toBe("7 removed\n");
    expect((await box.run(["inbox", "clear", ID, ...at])).out).toBe("1 removed\n");
    expect(daemon.seen.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "DELETE /inbox",
      `DELETE /inbox/${ID}`,
    ]);
  });
});

describe("mailq", () => {
  const email = (n: number, states: readonly string[], last: string | null = null) => ({
    id: `0199aa00-000${n}-7000-8000-000000000000`,
    created_at: "2026-01-01T00:00:00.000Z",
    from: "Me <me@a.example>",
    recipients: states.map((state, i) => ({ address: `r${i}@b.example`, state, last })),
  });

  test("prints what waits, the oldest first, with reason and marks", async () => {
    const byState: Readonly<Record<string, readonly object[]>> = {
      deferred: [email(2, ["delivered", "deferred"], "451 later")],
      held: [email(3, ["held"])],
      sending: [email(1, ["sending"])],
    };
    await using daemon = fakeDaemon(({ path }) =>
      listOf(byState[new URLSearchParams(path.split("?")[1]).get("status") ?? ""] ?? []),
    );
    const { code, out } = await createBox().run(["mailq", "--data-dir", daemon.dataDir]);
    expect(code).toBe(0);
    expect(out.split("\n").slice(1)).toEqual([
      "0199aa00-0001-7000-8000-000000000000*  2026-01-01T00:00:00.000Z  Me <me@a.example>",
      "    r0@b.example",
      "0199aa00-0002-7000-8000-000000000000   2026-01-01T00:00:00.000Z  Me <me@a.example>",
      "    (451 later)",
      "    r1@b.example",
      "0199aa00-0003-7000-8000-000000000000!  2026-01-01T00:00:00.000Z  Me <me@a.example>",
      "    r0@b.example",
      "",
      "-- 3 Requests.",
      "",
    ]);
  });

  test("goes through the pages, and says so when there is nothing", async () => {
    await using daemon = fakeDaemon(({ path }) => {
      const query = new URLSearchParams(path.split("?")[1]);
      if (query.get("status") !== "queued") return listOf([]);
      return query.get("after") === null
        ? listOf([email(2, ["queued"])], true)
        : listOf([email(1, ["queued"])]);
    });
    const box = createBox();
    const at = ["--data-dir", daemon.dataDir];
    expect(JSON.parse((await box.run(["mailq", "--json", ...at])).out)).toHaveLength(2);
    await using empty = fakeDaemon(() => listOf([]));
    const { out } = await box.run(["mailq", "--data-dir", empty.dataDir]);
    expect(out).toBe("Mail queue is empty\n");
  });

  test("of a long queue prints a part, and says that there are more", async () => {
    let n = 0;
    await using daemon = fakeDaemon(() => {
      const page = Array.from({ length: 100 }, () => ({
        ...email(0, ["queued"]),
        id: `id-${n++}`,
      }));
      return listOf(page, true);
    });
    const { out } = await createBox().run(["mailq", "--data-dir", daemon.dataDir]);
    expect(out).toEndWith("-- 1000 Requests, and there are more.\n");
  });

  test("takes the options of other mail systems' mailq", async () => {
    await using daemon = fakeDaemon(() => listOf([]));
    const box = createBox({
      POSTRIDER_DATA_DIR: daemon.dataDir,
      POSTRIDER_RUNTIME_DIR: "/nowhere",
    });
    for (const options of [["-v"], ["-Ac"], ["-OQueueDirectory=/x", "-v"]])
      expect(await box.run(["mailq", ...options])).toMatchObject({
        code: 0,
        out: "Mail queue is empty\n",
      });
    expect((await box.run(["mailq", "-Z"])).code).toBe(64);
    expect((await box.run(["mailq", "-h"])).out).toContain("Usage:");
  });

  test("ends with 69 where no daemon is, and `sendmail -q` flushes all", async () => {
    expect((await createBox().run(["mailq", "--data-dir", "/nowhere/at/all"])).code).toBe(69);
    await using daemon = fakeDaemon(() => ({ body: {} }));
    const env = { POSTRIDER_DATA_DIR: daemon.dataDir, POSTRIDER_RUNTIME_DIR: "/nowhere" };
    expect((await createBox(env).run(["sendmail", "-q"])).code).toBe(0);
    expect(daemon.seen[0]).toMatchObject({ path: "/queue/flush", body: '{"all":true}' });
    const none = { ...env, POSTRIDER_DATA_DIR: "/nowhere" };
    for (const mode of ["-q", "-bp"]) {
      const ran = await createBox(none).run(["sendmail", mode]);
      expect([ran.code, ran.err.startsWith("sendmail: ")]).toEqual([69, true]);
    }
  });
});
