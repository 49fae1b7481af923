// The operator's verbs through the real daemon: over HTTP and the command line, through a reload, a restart and a kill.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../fixtures/command.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Daemon;
const file = (): string => join(folder, "postrider.toml");
const start = (): Promise<Daemon> =>
  startDaemon({ dataDir: folder, flags: ["--config", file()], cwd: folder });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-operator-"));
  writeFileSync(file(), 'workers = 1\nhostname = "one.test"\n');
  daemon = await start();
}, TEST_MS);
afterEach(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

interface Said {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(path: string, body: unknown): Promise<Said> {
  const response = await daemon.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Said["body"] };
}

async function send(to: string, more: object = {}): Promise<string> {
  const message = { from: "a@one.test", to: `${to}@postrider.test`, subject: "s", text: "t" };
  return (await post("/send", { ...message, ...more })).body["id"] as string;
}

async function stateOf(id: string): Promise<string> {
  const email = (await (await daemon.request(`/emails/${id}`)).json()) as {
    recipients: { state: string }[];
  };
  return email.recipients[0]?.state ?? "";
}

const becomes = (id: string, state: string): Promise<unknown> =>
  until(`${id} is ${state}`, async () => (await stateOf(id)) === state);

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, out, err } = await runCommand(folder, args);
  return { code, text: out + err };
}

test(
  "what is paused waits, through a kill too, is canceled or goes on",
  async () => {
    expect((await run("queue", "pause", "--domain", "postrider.test")).text).toContain("is paused");
    const [kept, dropped] = [await send("delivered"), await send("delivered")];
    await daemon.process.stop("SIGKILL");
    daemon = await start();
    expect(await stateOf(kept)).toBe("queued");
    expect((await run("queue", "cancel", dropped)).text).toContain("canceled 1");
    expect((await post(`/emails/${dropped}/retry`, {})).body["name"]).toBe("not_retryable");
    const { paused } = (await (await daemon.request("/queue")).json()) as { paused: object[] };
    expect(paused).toMatchObject([{ kind: "domain", name: "postrider.test" }]);
    expect((await run("queue", "resume", "--domain", "postrider.test")).code).toBe(0);
    await becomes(kept, "delivered");
    expect(await stateOf(dropped)).toBe("canceled");
    expect((await post(`/emails/${kept}/cancel`, {})).status).toBe(409);
  },
  TEST_MS,
);

test(
  "a limit that the sender set ends what waits behind a pause, in time",
  async () => {
    await run("queue", "pause", "--domain", "postrider.test");
    const [code, letter] = [await send("delivered", { expires_in: "1s" }), await send("delivered")];
    await becomes(code, "expired");
    expect(await stateOf(letter)).toBe("queued");
  },
  TEST_MS,
);

test(
  "a dead letter is listed, kept and tried again",
  async () => {
    const id = await send("bounced");
    await becomes(id, "bounced");
    const { text } = await run("queue", "list", "--state", "dead");
    expect(text).toContain(id);
    expect((await daemon.request(`/emails/${id}/raw`)).status).toBe(200);
    expect((await run("queue", "retry", id)).text).toContain("requeued 1");
    await until("a second bounce", async () => {
      const events = (await (await daemon.request(`/emails/${id}/events`)).json()) as {
        data: { type: string }[];
      };
      const bounces = events.data.filter(({ type }) => type === "email.bounced");
      return bounces.length === 2 && (await stateOf(id)) === "bounced";
    });
  },
  TEST_MS,
);

test(
  "a held and a scheduled message obey, and what is wrong with a request is told",
  async () => {
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const id = await send("delivered", { scheduled_at: tomorrow });
    expect((await post("/queue/hold", { id })).body).toMatchObject({ held: 1 });
    expect(await stateOf(id)).toBe("held");
    expect((await post("/queue/release", { all: true })).body).toMatchObject({ recipients: 1 });
    expect(await stateOf(id)).toBe("scheduled");
    const body = JSON.stringify({ scheduled_at: new Date().toISOString() });
    expect((await daemon.request(`/emails/${id}`, { method: "PATCH", body })).status).toBe(200);
    await becomes(id, "delivered");
    expect((await post("/queue/pause", {})).status).toBe(422);
    expect((await run("queue", "flush")).code).toBe(64);
  },
  TEST_MS,
);

test(
  "a reload changes workers while mail flows, and what is wrong changes nothing",
  async () => {
    const ids: string[] = [];
    for (const workers of [4, 2, 3]) {
      writeFileSync(file(), `workers = ${workers}\nhostname = "w${workers}.test"\n`);
      const sending = Promise.all(Array.from({ length: 20 }, () => send("delivered")));
      expect((await run("reload")).text).toContain("changed: hostname workers");
      ids.push(...(await sending));
    }
    for (const id of ids) await becomes(id, "delivered");
    writeFileSync(file(), "workers = 0\n");
    const refused = await run("reload");
    expect([refused.code, refused.text.includes("workers")]).toEqual([1, true]);
    await until("the metric to tell", async () => {
      const metrics = await (await daemon.request("/metrics")).text();
      return metrics.includes("postrider_config_last_reload_successful 0");
    });
    await becomes(await send("delivered"), "delivered");
  },
  TEST_MS,
);

test(
  "explain and trace tell of mail on its way",
  async () => {
    const limit = new AbortController();
    const trace = await daemon.request("/trace?domain=postrider.test", { signal: limit.signal });
    let text = "";
    const read = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of trace.body!) text += decoder.decode(chunk);
    })().catch(() => {});
    await until("the trace to begin", () => text.includes("still here"));
    const id = await send("delivered");
    await until("the reply to the dot", () => text.includes("Taken"));
    expect(text).toContain("RCPT TO:<delivered@postrider.test>");
    limit.abort();
    await read;
    await becomes(id, "delivered");
    const explained = await run("explain", "postrider.test");
    expect(explained.text).toContain("Nothing holds it up.");
    expect(explained.text).toContain("by sink");
  },
  TEST_MS,
);
