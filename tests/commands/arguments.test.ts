// Arguments that cannot be right: named with what was found and what is allowed, and told by exit code 64, whoever finds it out.
import { describe, expect, test } from "bun:test";
import { createBox, fakeDaemon } from "./setup.ts";

const bad: readonly (readonly [line: readonly string[], argument: string])[] = [
  [["explain", "bad domain"], "domain: found bad domain"],
  [["explain", ""], "domain: found nothing"],
  [["trace", "a@b"], "id-or-domain: found a@b"],
  [["dns", "lookup", "bad domain"], "name: found bad domain"],
  [["dns", "flush", "a@b"], "name: found a@b"],
  [["queue", "pause", "--domain", "bad domain"], "--domain: found bad domain"],
  [["queue", "hold", "example.com"], "id: found example.com"],
  [["queue", "retry", "xyz"], "id: found xyz"],
  [["queue", "cancel", "xyz"], "id: found xyz"],
  [["message", "raw", "xyz"], "id: found xyz"],
  [["log", "level", "info", "--for", "999d"], "--for: found 999d; allowed: from 1s to 7d"],
];

describe("an argument that cannot be right", () => {
  for (const [line, told] of bad)
    test(`${line.map((word) => JSON.stringify(word)).join(" ")} is refused before it is asked`, async () => {
      await using daemon = fakeDaemon(() => ({ body: {} }));
      const ran = await createBox().run([...line, "--data-dir", daemon.dataDir]);
      expect(ran.code).toBe(64);
      expect(ran.err).toStartWith(told);
      expect(ran.err).toContain("; allowed: ");
      expect(daemon.seen).toEqual([]);
    });

  test("names that are unusual, and names in other scripts, are asked for as they are", async () => {
    await using daemon = fakeDaemon(() => ({ status: 404, body: { detail: "No." } }));
    const names = ["_25._tcp.mx.example", "bücher.example", "localhost", "example.com."];
    for (const name of names)
      expect(
        await createBox().run(["dns", "lookup", name, "--data-dir", daemon.dataDir]),
      ).toMatchObject({ code: 1, err: "No.\n" });
    expect(daemon.seen).toHaveLength(names.length);
  });

  for (const status of [400, 422])
    test(`what the daemon finds out (${status}) is told once, and with 64`, async () => {
      const fault = "It must be a number from 1 to 100.";
      const body = {
        detail: `The parameter "limit" is not valid. ${fault}`,
        errors: [{ pointer: "?limit", detail: fault }],
      };
      await using daemon = fakeDaemon(() => ({ status, body }));
      const args = ["message", "list", "--limit", "0", "--data-dir", daemon.dataDir];
      expect(await createBox().run(args)).toEqual({ code: 64, out: "", err: `${body.detail}\n` });
    });
});

test("where no daemon is, it is said how to start one and how to name another", async () => {
  const gone = await createBox().run(["explain", "example.com", "--data-dir", "/nowhere"]);
  const url = ["--url", "http://127.0.0.1:1", "--api-key", "k"];
  const far = await createBox().run(["explain", "example.com", ...url]);
  expect([gone.code, far.code]).toEqual([69, 69]);
  for (const { err } of [gone, far])
    for (const word of ["postrider serve", "--data-dir", "--url"]) expect(err).toContain(word);
});
