// A program that runs `sendmail` again until it ends well, with a key of its own in the header: its message goes out once.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "../fixtures/until.ts";
import { createHost, type Host, inboxOf } from "./localRig.ts";

let host: Host;
beforeEach(() => void (host = createHost()));
afterEach(() => host.remove());

const TEST_MS = 30_000;
const letter = (to: string, text: string): string =>
  `From: a@shop.example\nTo: ${to}\nSubject: s\nIdempotency-Key: order-17\n\n${text}\n`;

test(
  "the key in the header of mail by sendmail is obeyed, also in the pickup folder and for parts of a message",
  async () => {
    const to = ["one@shop.example", ...Array.from({ length: 59 }, (_, i) => `r${i}@shop.example`)];
    const send = (text: string) =>
      host.run("sendmail", ["-t", "-i"], { input: letter(to.join(",\n "), text) });
    const flags = ["--capture", "true"];
    await (await host.start(flags)).stop();
    for (const code of [0, 0]) expect((await send("hello")).code).toBe(code);
    const pickup = join(host.dataDir, "pickup");
    const waiting = () => readdirSync(pickup).filter((name) => name.endsWith(".mail"));
    expect(waiting()).toHaveLength(2);
    const daemon = await host.start(flags);
    try {
      await until("the pickup folder is empty", () => waiting().length === 0);
      expect((await send("hello")).code).toBe(0);
      const other = await send("something else");
      expect([other.code, other.err]).toEqual([65, expect.stringContaining("Idempotency-Key")]);
      expect(waiting()).toHaveLength(0);
      for (const address of ["one@shop.example", "r58@shop.example"])
        expect(await inboxOf(daemon, address)).toHaveLength(1);
    } finally {
      expect(await daemon.stop()).toBe(0);
    }
  },
  TEST_MS,
);
