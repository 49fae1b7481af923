// Webhooks out of the compiled daemon, to receivers of every kind, over kills; verified by packages that we did not write.
import { expect, test } from "bun:test";
import { Resend } from "resend";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../fixtures/certificates.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { type Ends, newFolder, send, within } from "./faultsRig.ts";
import {
  api,
  drip,
  fine,
  hang,
  startReceiver,
  status,
  subscribe,
  verified,
  type Taken,
} from "./webhookRig.ts";

const TEST_MS = 60_000;
const FLAGS = ["--webhook-allow", "127.0.0.0/8", "--hostname", "sender.test", "--workers", "1"];

interface Logged {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly attempts: number;
}

const logOf = async (daemon: Daemon, id: string): Promise<readonly Logged[]> =>
  (await api<{ data: Logged[] }>(daemon, "GET", `/webhooks/${id}/events?limit=100`)).data;
const started = async (ends: Ends): Promise<{ daemon: Daemon; folder: string }> => {
  const folder = newFolder(ends);
  const daemon = await startDaemon({ dataDir: folder, flags: FLAGS });
  ends.add(daemon.stop);
  return { daemon, folder };
};

test(
  "receivers that hang, redirect, drip, fail or are gone hold back nobody but themselves",
  () =>
    within(async (ends) => {
      const { daemon } = await started(ends);
      const well = await startReceiver(ends, fine);
      const bait = await startReceiver(ends, fine);
      const redirect = await startReceiver(ends, status(302, { location: `${bait.url}/bait` }));
      const hanging = await startReceiver(ends, hang);
      const dripping = await startReceiver(ends, drip);
      const gone = await startReceiver(ends, status(410));
      const failing = await startReceiver(ends, status(500));
      const made = await subscribe(daemon, well.url);
      const ids = new Map<string, string>();
      for (const [name, { url }] of Object.entries({ redirect, hanging, dripping, gone, failing }))
        ids.set(name, (await subscribe(daemon, url)).id);
      const messages = await Promise.all(
        Array.from({ length: 20 }, () => send(daemon, "delivered@postrider.test")),
      );
      await until("the one that is well has heard of every delivery", () => {
        const told = well.taken.filter(({ type }) => type === "email.delivered");
        return new Set(told.map(({ email }) => email)).size === messages.length;
      });
      for (const one of well.taken) verified(made.signing_secret, one);
      // A reply's status is what counts, and its body may be cut.
      await until("the one that drips was believed", async () => {
        const log = await logOf(daemon, ids.get("dripping") ?? "");
        return log.some((one) => one.status === "success");
      });
      await until("the one that is gone is switched off", async () => {
        const id = ids.get("gone") ?? "";
        const hook = await api<{ status: string }>(daemon, "GET", `/webhooks/${id}`);
        return hook.status === "disabled";
      });
      const log = await logOf(daemon, ids.get("gone") ?? "");
      expect(log.map(({ type }) => type)).toContain("webhook.endpoint_disabled");
      const tried = await until("the redirect was noted", async () => {
        const [first] = await logOf(daemon, ids.get("redirect") ?? "");
        return first;
      });
      expect(tried.status).toBe("pending");
      expect(bait.taken).toEqual([]);
      expect(hanging.taken.length).toBeLessThanOrEqual(2);
      // What one did not take comes when it is well again.
      failing.answer = fine;
      const before = failing.taken.length;
      const id = ids.get("failing") ?? "";
      const again = await until("an event of the failing one waits", async () =>
        (await logOf(daemon, id)).find((one) => one.status === "pending"),
      );
      await api(daemon, "POST", `/webhooks/${id}/events/${again.id}/replay`);
      await until("it was sent again", () => failing.taken.length > before);
      const metrics = await (await daemon.request("/metrics")).text();
      expect(metrics).toMatch(/^postrider_webhook_pending_events [1-9]/m);
    }),
  TEST_MS,
);

test(
  "by https:// a receiver proves its name to an authority that the settings name, or hears nothing",
  () =>
    within(async (ends) => {
      const folder = newFolder(ends);
      const root = makeCertificate({ name: "Laboratory", isAuthority: true });
      const authorities = join(folder, "authorities.pem");
      writeFileSync(authorities, root.cert);
      const names = ["localhost"];
      const known = makeCertificate({ name: "receiver", names, issuer: root });
      const daemon = await startDaemon({
        dataDir: folder,
        flags: [...FLAGS, "--tls-ca-file", authorities],
      });
      ends.add(daemon.stop);
      const trusted = await startReceiver(ends, fine, known);
      const stranger = await startReceiver(ends, fine, makeCertificate({ name: "x", names }));
      const made = await subscribe(daemon, trusted.url);
      const { id } = await subscribe(daemon, stranger.url);
      await send(daemon, "delivered@postrider.test");
      const told = await until("it is told", () => trusted.taken[0]);
      verified(made.signing_secret, told);
      const noted = await until("the other one's attempt is noted", async () => {
        const [event] = (await logOf(daemon, id)).filter(({ attempts }) => attempts > 0);
        const path = `/webhooks/${id}/events/${event?.id}/attempts`;
        if (event === undefined) return undefined;
        return (await api<{ data: { response: string }[] }>(daemon, "GET", path)).data[0];
      });
      expect(noted.response).toContain("the certificate proves nothing");
      expect(stranger.taken).toEqual([]);
    }),
  TEST_MS,
);

test(
  "a range is opened and closed by a reload, and a connection that is kept does not outlive it",
  () =>
    within(async (ends) => {
      const folder = newFolder(ends);
      const file = join(folder, "postrider.toml");
      const write = (allow: string): void =>
        writeFileSync(file, `hostname = "sender.test"\nworkers = 1\nwebhook_allow = "${allow}"\n`);
      write("none");
      const daemon = await startDaemon({ dataDir: folder, flags: ["--config", file] });
      ends.add(daemon.stop);
      const receiver = await startReceiver(ends, fine);
      const tried = () => subscribe(daemon, receiver.url, ["email.sent"]);
      expect(await tried().catch(String)).toContain("webhook_allow");
      const byName = receiver.url.replace("127.0.0.1", "localhost").replace("http:", "https:");
      const named = await subscribe(daemon, byName);
      write("127.0.0.0/8, ::1");
      await api(daemon, "POST", "/reload");
      const { id } = await tried();
      await send(daemon, "delivered@postrider.test");
      await until("it is told", () => receiver.taken.length === 1);
      write("none");
      await api(daemon, "POST", "/reload");
      await send(daemon, "delivered@postrider.test");
      for (const webhook of [id, named.id]) {
        const event = await until("it was kept from its receiver", async () =>
          (await logOf(daemon, webhook)).find(
            (one) => one.status === "pending" && one.attempts > 0,
          ),
        );
        const path = `/webhooks/${webhook}/events/${event.id}/attempts`;
        const { data } = await api<{ data: { response: string }[] }>(daemon, "GET", path);
        expect(data.at(-1)?.response).toContain("closed");
      }
      expect(receiver.taken).toHaveLength(1);
    }),
  TEST_MS,
);

peer("curl").test(
  "the README's line subscribes, as it is pasted",
  () =>
    within(async (ends) => {
      const { daemon } = await started(ends);
      const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
      const line = /^curl \S+\/webhooks .*$/m.exec(readme)?.[0] ?? "";
      const shell = Bun.spawn(
        ["/bin/sh", "-c", line.replace("http://127.0.0.1:8250", daemon.url)],
        {
          env: { PATH: process.env["PATH"] ?? "", KEY: daemon.key },
          ...({ stdin: "ignore", stderr: "ignore", stdout: "pipe" } as const),
        },
      );
      expect(JSON.parse(await new Response(shell.stdout).text())).toMatchObject({
        ...{ object: "webhook", signing_secret: expect.stringMatching(/^whsec_/) },
      });
    }),
  TEST_MS,
);

/** The first time that each event was taken, in order; by message. */
function firstTaken(taken: readonly Taken[]): ReadonlyMap<string, readonly number[]> {
  const seen = new Set<string>();
  const order = new Map<string, number[]>();
  for (const { id, email, event } of taken) {
    if (seen.has(id)) continue;
    seen.add(id);
    order.set(email, [...(order.get(email) ?? []), event]);
  }
  return order;
}

test(
  "a daemon that is killed again and again tells every event at least once, in order",
  () =>
    within(async (ends) => {
      const folder = newFolder(ends);
      // Slow enough that a kill always finds some under way.
      const receiver = await startReceiver(
        ends,
        (response) => void setTimeout(() => response.end("ok"), 20),
      );
      let daemon = await startDaemon({ dataDir: folder, flags: FLAGS });
      ends.add(() => daemon.stop());
      const made = await subscribe(daemon, receiver.url);
      const messages: string[] = [];
      for (let life = 0; life < 4; life++) {
        const batch = Array.from({ length: 40 }, () => send(daemon, "delivered@postrider.test"));
        messages.push(...(await Promise.all(batch)));
        const heard = receiver.taken.length;
        await until("some were told", () => receiver.taken.length >= heard + 10);
        process.kill(daemon.process.pid, "SIGKILL");
        await daemon.process.exited;
        daemon = await startDaemon({ dataDir: folder, flags: FLAGS });
      }
      const all = new Map<string, readonly number[]>();
      for (const id of messages) {
        const events = await until("it is delivered", async () => {
          const { data } = await api<{ data: { id: number; type: string }[] }>(
            ...[daemon, "GET", `/emails/${id}/events`],
          );
          return data.at(-1)?.type === "email.delivered" ? data : undefined;
        });
        all.set(
          id,
          events.map((one) => one.id),
        );
      }
      const wanted = [...all.values()].flat().length;
      await until(`all ${wanted} events were told`, () => {
        return new Set(receiver.taken.map(({ id }) => id)).size >= wanted;
      });
      const told = firstTaken(receiver.taken);
      for (const [id, events] of all) expect(told.get(id)).toEqual(events);
      for (const one of receiver.taken) verified(made.signing_secret, one);
    }),
  TEST_MS,
);

test(
  "the resend package makes, reads, changes, replays, rotates, verifies and removes them",
  () =>
    within(async (ends) => {
      const { daemon } = await started(ends);
      const receiver = await startReceiver(ends, fine);
      const { webhooks } = new Resend(daemon.key, { baseUrl: daemon.url });
      const data = <T>({ data, error }: { data: T | null; error: unknown }): T => {
        if (data === null) throw new Error(JSON.stringify(error));
        return data;
      };
      const events = ["email.sent", "email.delivered", "email.opened"] as const;
      const made = data(await webhooks.create({ endpoint: receiver.url, events: [...events] }));
      const { id } = made;
      expect(data(await webhooks.get(id))).toMatchObject({
        ...{ object: "webhook", id, status: "enabled", endpoint: receiver.url, events },
        signing_secret: made.signing_secret,
      });
      expect(data(await webhooks.list()).data.map((one) => one.id)).toEqual([id]);
      await send(daemon, "delivered@postrider.test");
      await until("both are told", () => receiver.taken.length === 2);
      const [sent, delivered] = receiver.taken as [Taken, Taken];
      expect([sent.type, delivered.type]).toEqual(["email.sent", "email.delivered"]);
      const read = ({ headers, body }: Taken, webhookSecret: string): unknown =>
        webhooks.verify({
          payload: body,
          headers: {
            id: headers["svix-id"] ?? "",
            timestamp: headers["svix-timestamp"] ?? "",
            signature: headers["svix-signature"] ?? "",
          },
          webhookSecret,
        });
      expect(read(sent, made.signing_secret)).toMatchObject({ type: "email.sent" });
      const rotated = data(await webhooks.rotateSigningSecret(id));
      const log = await until("both are in the log", async () => {
        const { data: all } = data(await webhooks.events.list({ webhookId: id }));
        return all.length === 2 && all;
      });
      expect(log.map((one) => [one.type, one.status])).toEqual([
        ["email.delivered", "success"],
        ["email.sent", "success"],
      ]);
      const eventId = sent.id;
      const one = data(await webhooks.events.get({ webhookId: id, eventId }));
      expect(one).toMatchObject({ id: eventId, status: "success", payload: JSON.parse(sent.body) });
      data(await webhooks.events.replay({ webhookId: id, eventId }));
      await until("it is told again", () => receiver.taken.length === 3);
      const [, , again] = receiver.taken as [Taken, Taken, Taken];
      expect([again.id, again.body]).toEqual([sent.id, sent.body]);
      // Whoever has the old secret still, or the new one already.
      expect(read(again, made.signing_secret)).toEqual(read(again, rotated.signing_secret));
      const attempts = await until("both attempts are in the log", async () => {
        const tries = await webhooks.events.attempts.list({ webhookId: id, eventId });
        return data(tries).data.length === 2 && data(tries).data;
      });
      expect(attempts[0]).toMatchObject({ http_status_code: 200, response: "ok" });
      data(await webhooks.update(id, { status: "disabled" }));
      expect(data(await webhooks.get(id)).status).toBe("disabled");
      expect(data(await webhooks.remove(id))).toMatchObject({ id, deleted: true });
      expect((await webhooks.get(id)).error).toMatchObject({ name: "not_found" });
    }),
  TEST_MS,
);
