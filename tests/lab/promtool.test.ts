// What the daemon says of itself, read by the checker of those who scrape it.
import { afterAll, beforeAll, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";

const promtool = peer("promtool");
const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

let dataDir = "";
let daemon: Daemon;

beforeAll(async () => {
  if (promtool.missing) return;
  dataDir = mkdtempSync(join(tmpdir(), "postrider-promtool-"));
  daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.example"] });
  // Something of each kind, so that every family has its series.
  for (const name of ["delivered", "bounced", "greylist"]) await send(`${name}@postrider.test`);
  await until("the results are counted", async () => {
    const text = await page("text/plain");
    return /result="delivered"\} [1-9]/.test(text) && /result="bounced"\} [1-9]/.test(text);
  });
});

afterAll(async () => {
  if (promtool.missing) return;
  await daemon.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

async function send(to: string): Promise<void> {
  const body = JSON.stringify({ from: "a@sender.example", to, subject: "s", text: "t" });
  const headers = { "content-type": "application/json" };
  const response = await daemon.request("/send", { method: "POST", headers, body });
  expect(response.status).toBe(202);
}

async function page(accept: string): Promise<string> {
  const response = await daemon.request("/metrics", { headers: { accept } });
  return response.text();
}

function check(text: string): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(promtool.path, ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  return { code: status, said: stdout + stderr };
}

promtool.test("promtool finds nothing to say of the metrics", async () => {
  expect(check(await page("text/plain"))).toEqual({ code: 0, said: "" });
});

promtool.test("promtool would say what is wrong", () => {
  const bad = '# TYPE bad_metric counter\nbad_metric{a="1"} 1\n';
  expect(check(bad)).toMatchObject({ code: 3, said: expect.stringContaining("_total") });
});

promtool.test("the OpenMetrics page holds the same families and ends as it must", async () => {
  const families = (text: string): string[] =>
    [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name.replace(/_total$/, ""));
  const open = await page(OPENMETRICS);
  expect(open.endsWith("# EOF\n")).toBe(true);
  expect(families(open).sort()).toEqual(families(await page("text/plain")).sort());
});
