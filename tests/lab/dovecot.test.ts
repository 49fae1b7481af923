// Logging in to Dovecot, whose SCRAM and CRAM-MD5 are not ours.
import { afterEach, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createSender } from "../../src/deliver/sender.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { attemptOrder } from "../../src/route/order.ts";
import type { RelayLogin } from "../../src/route/route.ts";
import { startDovecot } from "../fixtures/dovecot.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { peer } from "../peers.ts";
import { startFakeMx } from "../deliver/fakeMx.ts";
import { jobOf, message, once, stepOf } from "../deliver/rig.ts";

const dovecot = peer(hasRoot() ? "dovecot" : "dovecot as root");

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const password = "pencil=,x";

/** The verdict, and what the server behind Dovecot was given. */
async function send(mechanism: string, login: RelayLogin) {
  const behind = await startFakeMx({ offers: ["8BITMIME"] });
  ends.push(behind.close);
  const folder = mkdtempSync(join(tmpdir(), "postrider-dovecot-"));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const options = { program: dovecot.path, folder, password, relayPort: behind.port };
  const running = await startDovecot({ ...options, mechanisms: [mechanism] });
  ends.push(running.stop);
  const { promise, resolve } = Promise.withResolvers<Verdict>();
  const sender = createSender({
    clock: systemClock,
    random: systemRandom,
    connect: createSocketConnect({ clock: systemClock }),
    meter: createMeter(boundsOf),
    log: noLog,
    settings: { ...deliverDefaults, rounds: once },
    verdict: resolve,
    readSpool: () => {
      throw new Error("nothing is spooled here");
    },
    order: attemptOrder,
  });
  ends.push(() => sender.stop(0));
  const hosts = [{ name: "relay.test", preference: 0, addresses: ["127.0.0.1"] }];
  const route = { site: "relay", via: "relay", hosts, implicitTls: false, login } as const;
  sender.submit(jobOf(1, {}), { ...route, port: running.port, tls: "off" }, message);
  return { verdict: await promise, behind, log: running.log };
}

for (const mechanism of ["scram-sha-256", "cram-md5"]) {
  dovecot.test(
    `${mechanism}: the right password lets mail through`,
    async () => {
      const { verdict, behind, log } = await send(mechanism, { user: "us,er=1", pass: password });
      expect([stepOf(verdict).outcome, log()]).toEqual(["delivered", log()]);
      expect(behind.messages()).toHaveLength(1);
    },
    30_000,
  );

  dovecot.test(
    `${mechanism}: a wrong password is the relay's trouble`,
    async () => {
      const { verdict } = await send(mechanism, { user: "user", pass: "other" });
      expect(verdict).toMatchObject({ kind: "deferred", scope: "site" });
      expect(stepOf(verdict)).toMatchObject({ phase: "auth", code: 535 });
    },
    30_000,
  );
}
