// How the compiled daemon starts, refuses to start, ends, and goes on where it was; and what its limits say.
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { type FakeMx, type Script, startFakeMx } from "../deliver/fakeMx.ts";
import { type Daemon, binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { ready, startProcess, type Running } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import {
  type Ends,
  type Problem,
  counts,
  letter,
  newFolder,
  post,
  reaches,
  send,
  shown,
  timeline,
  within,
} from "./faultsRig.ts";

async function startMx(ends: Ends, script: Script): Promise<FakeMx> {
  const mx = await startFakeMx({ script });
  ends.add(mx.close);
  return mx;
}

const relayTo = (mx: FakeMx): string[] => [
  ...["--relay", `smtp://127.0.0.1:${mx.port}?tls=off`],
  ...["--hostname", "sender.test"],
];

/** All its mail goes to `mx`. */
async function startRelaying(
  ends: Ends,
  mx: FakeMx,
  dataDir: string,
  flags: readonly string[] = [],
): Promise<Daemon> {
  const daemon = await startDaemon({ dataDir, flags: [...relayTo(mx), ...flags] });
  // For a test that failed: those that pass have ended it.
  ends.add(() => daemon.process.stop("SIGKILL"));
  return daemon;
}

function start(ends: Ends, ...args: readonly string[]): Running {
  const running = startProcess(binaryPath, args, { env: cleanEnvironment() });
  ends.add(() => running.stop("SIGKILL"));
  return running;
}

/** Holds back the reply to the dot until it is told to go on. */
function createGate() {
  let open = (): void => {};
  let waiting = 0;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const script: Script = async (verb) => {
    if (verb !== ".") return undefined;
    waiting++;
    await opened;
    return undefined;
  };
  return { script, open: () => open(), waiting: () => waiting };
}

describe("a daemon that cannot start", () => {
  test("since another one has its folder says so and ends with 1, and the other goes on", () =>
    within(async (ends) => {
      const dataDir = newFolder(ends);
      const daemon = await startDaemon({ dataDir });
      ends.add(daemon.stop);
      const second = start(ends, "serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0");
      expect(await second.exited).toBe(1);
      expect(second.output()).toContain(dataDir);
      expect(second.output()).toContain("another");
      await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
    }));

  test("since its port is taken says so and ends with 1", () =>
    within(async (ends) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ends.add(() => new Promise((resolve) => server.close(resolve)));
      const at = `127.0.0.1:${(server.address() as AddressInfo).port}`;
      const running = start(ends, "serve", "--data-dir", newFolder(ends), "--listen", at);
      expect(await running.exited).toBe(1);
      expect(running.output()).toContain(at);
    }));

  test("with wrong settings tells all of them and ends with 78", () =>
    within(async (ends) => {
      const wrong = { listen: "nowhere", workers: "0", memory_limit: "1kB", relay: "ftp://x" };
      const flags = Object.entries(wrong).flatMap(([name, value]) => [
        `--${name.replace("_", "-")}`,
        value,
      ]);
      const running = start(ends, "serve", "--data-dir", newFolder(ends), ...flags);
      expect(await running.exited).toBe(78);
      for (const [name, value] of Object.entries(wrong)) {
        const line = running
          .output()
          .split("\n")
          .find((one) => one.includes(name));
        expect(line).toContain(value);
      }
    }));
});

test("what lies in the data folder is its owner's alone", () =>
  within(async (ends) => {
    const dataDir = newFolder(ends);
    const daemon = await startDaemon({ dataDir });
    ends.add(daemon.stop);
    await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
    const modeOf = (name: string) => (statSync(join(dataDir, name)).mode & 0o777).toString(8);
    expect(modeOf("")).toBe("700");
    expect(modeOf("api-key")).toBe("600");
    expect(modeOf("control.sock")).toBe("600");
    expect(modeOf("postrider.db")).toBe("600");
    expect(modeOf("search.db")).toBe("600");
    expect(modeOf("spool")).toBe("700");
  }));

test("metrics_listen serves the metrics and nothing else", () =>
  within(async (ends) => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const flags = ["--metrics-listen", `127.0.0.1:${port}`];
    const daemon = await startDaemon({ dataDir: newFolder(ends), flags });
    ends.add(daemon.stop);
    const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toContain("process_resident_memory_bytes");
    const headers = { authorization: `Bearer ${daemon.key}` };
    for (const path of ["/", "/livez", "/readyz", "/emails", "/queue", "/openapi.json"])
      expect((await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status).toBe(404);
    const body = letter("delivered@postrider.test");
    const sent = await fetch(`http://127.0.0.1:${port}/send`, { method: "POST", headers, body });
    expect(sent.status).toBe(404);
  }));

describe("a limit", () => {
  const refusal = async (answer: Response, name: string): Promise<void> => {
    const problem = (await answer.json()) as Problem;
    expect([answer.status, problem.name]).toEqual([503, name]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  };

  test("of memory is 503 memory_low, and the daemon is not ready", () =>
    within(async (ends) => {
      // Less than the program itself takes.
      const flags = ["--memory-limit", "64MB", "--api-key", "0123456789abcdef"];
      const folder = newFolder(ends);
      const running = start(
        ends,
        ...["serve", "--data-dir", folder, "--listen", "127.0.0.1:0", ...flags],
      );
      const url = await ready(running, "it serves", () => {
        return /http:\/\/127\.0\.0\.1:\d+/.exec(running.output())?.[0];
      });
      const answer = await until("it looks at its memory", async () => {
        const readiness = await fetch(`${url}/readyz`);
        return readiness.status === 503 && readiness;
      });
      await refusal(answer, "memory_low");
      const headers = { authorization: "Bearer 0123456789abcdef" };
      const body = letter("delivered@postrider.test");
      await refusal(await fetch(`${url}/send`, { method: "POST", headers, body }), "memory_low");
      expect(await running.stop()).toBe(0);
    }));

  test("of the queue is 503 queue_full, and mail is taken again once there is room", () =>
    within(async (ends) => {
      const gate = createGate();
      const mx = await startMx(ends, gate.script);
      const dataDir = newFolder(ends);
      const daemon = await startRelaying(ends, mx, dataDir, ["--queue-max-messages", "3"]);
      const ids = [];
      for (let i = 0; i < 3; i++) ids.push(await send(daemon, `x${i}@far.test`));
      await refusal(await post(daemon, letter("x3@far.test")), "queue_full");
      gate.open();
      for (const id of ids) await reaches(daemon, id, "delivered");
      // The door is told of the queue's room a moment later.
      await until("there is room", async () => (await daemon.request("/readyz")).ok);
      await reaches(daemon, await send(daemon, "x4@far.test"), "delivered");
      expect(await counts(daemon)).toEqual({ delivered: 4 });
      expect(await daemon.stop()).toBe(0);
    }));
});

test("a reader of the output that goes away is no error, neither for a command nor for a daemon", () =>
  within(async (ends) => {
    const run = (...args: string[]) =>
      spawn(binaryPath, args, { env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
    const help = run("serve", "--help");
    const daemon = run("serve", "--data-dir", newFolder(ends), "--listen", "127.0.0.1:0");
    ends.add(() => daemon.kill("SIGKILL"));
    const codes = [help, daemon].map((one) => once(one, "exit"));
    let said = "";
    help.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    help.stdout.destroy();
    expect([await codes[0], said]).toEqual([[0, null], ""]);
    await once(daemon.stdout, "data");
    daemon.stdout.destroy();
    daemon.stderr.destroy();
    // Its last words go nowhere.
    daemon.kill("SIGTERM");
    expect(await codes[1]).toEqual([0, null]);
  }));

describe("SIGTERM", () => {
  test("lets the transaction under way end, refuses new mail, ends with 0, and the rest goes on at the next start", () =>
    within(async (ends) => {
      const gate = createGate();
      const mx = await startMx(ends, gate.script);
      const dataDir = newFolder(ends);
      // One connection, so that one message is under way and the others wait.
      const first = await startRelaying(ends, mx, dataDir, ["--site-connections", "1"]);
      const ids = [];
      for (let i = 0; i < 5; i++) ids.push(await send(first, `x${i}@far.test`));
      await until("a message is at its dot", () => gate.waiting() === 1);
      const ended = first.process.stop("SIGTERM");
      // What comes before the daemon has seen the signal is taken, and sent at the next start.
      let late = 0;
      const refused = await until("it drains", async () => {
        const answer = await post(first, letter("late@far.test"));
        if (answer.status === 202) late++;
        return answer.status === 503 && answer;
      });
      expect(((await refused.json()) as Problem).name).toBe("draining");
      expect(refused.headers.get("retry-after")).not.toBeNull();
      gate.open();
      expect(await ended).toBe(0);
      const before = mx.messages().length;
      expect(before).toBeGreaterThan(0);

      // A start that fails in between, here since the port is taken, sends nothing and burns no attempt.
      const at = ["--data-dir", dataDir, "--listen", `127.0.0.1:${mx.port}`];
      const failing = start(ends, "serve", ...at, ...relayTo(mx));
      expect(await failing.exited).toBe(1);
      expect(mx.messages()).toHaveLength(before);

      const second = await startRelaying(ends, mx, dataDir);
      for (const id of ids) await reaches(second, id, "delivered");
      const lines = mx.sessions.flatMap((session) => session.lines);
      for (let i = 0; i < 5; i++)
        expect(lines.filter((line) => line === `RCPT TO:<x${i}@far.test>`)).toHaveLength(1);
      await until("what came late is sent too", () => mx.messages().length === 5 + late);
      for (const id of ids) {
        expect((await shown(second, id)).attempts).toBe(1);
        const told = await timeline(second, id);
        expect(told.some(({ postrider }) => postrider["doubt"] === true)).toBe(false);
      }
      expect(await second.stop()).toBe(0);
    }));

  test("waits for no server that hangs before it was given a message", () =>
    within(async (ends) => {
      let well = false;
      const mx = await startMx(ends, (verb) => (verb === "EHLO" && !well ? "HANG" : undefined));
      const dataDir = newFolder(ends);
      const first = await startRelaying(ends, mx, dataDir);
      const id = await send(first, "x@far.test");
      await until("the server hangs", () => mx.sessions.some(({ lines }) => lines.length > 0));
      expect(await first.stop()).toBe(0);
      well = true;
      const second = await startRelaying(ends, mx, dataDir);
      expect(await reaches(second, id, "delivered")).toMatchObject({ attempts: 1 });
      const told = await timeline(second, id);
      expect(told.some(({ postrider }) => postrider["doubt"] === true)).toBe(false);
      expect(await second.stop()).toBe(0);
    }));

  test("twice ends at once; the next start marks what may have been taken, and sends it", () =>
    within(async (ends) => {
      const gate = createGate();
      const mx = await startMx(ends, gate.script);
      const dataDir = newFolder(ends);
      const first = await startRelaying(ends, mx, dataDir);
      const id = await send(first, "x@far.test");
      await until("the message is at its dot", () => gate.waiting() === 1);
      process.kill(first.process.pid, "SIGTERM");
      await until("it drains", () => first.process.output().includes("daemon.stopping"));
      process.kill(first.process.pid, "SIGTERM");
      expect(await first.process.exited).toBe(1);
      gate.open();

      const second = await startRelaying(ends, mx, dataDir);
      await reaches(second, id, "delivered");
      const told = await timeline(second, id);
      expect(told.filter(({ postrider }) => postrider["doubt"] === true)).toHaveLength(1);
      expect((await shown(second, id)).attempts).toBe(2);
      expect(await second.stop()).toBe(0);
    }));
});
