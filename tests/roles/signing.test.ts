// Keys that cannot be used are counted, since mail leaves without their signatures and nobody reads the log for that.
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createMeter } from "../../src/base/meter.ts";
import { systemRandom } from "../../src/base/random.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { openSigning } from "../../src/roles/signing.ts";

const dataDir = mkdtempSync(join(tmpdir(), "postrider-signing-"));
afterAll(() => rmSync(dataDir, { recursive: true }));

function configOf(toml: string): Config {
  const loaded = loadConfig({
    ...{ flags: {}, env: { POSTRIDER_DATA_DIR: dataDir }, cwd: "/", home: "/" },
    machine: { cores: 1, hostname: "h.test", fileLimit: 1024, terminal: false },
    readFile: (path) => (path === "/etc/postrider/postrider.toml" ? toml : undefined),
    volumeBytes: () => 1e9,
    relayProblems: () => [],
    keyFaults: () => ({ problems: [], warnings: [] }),
  });
  if (loaded.kind === "bad") throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

test("what cannot be read of the settings' keys and of the folder is told as a metric, and a reload counts anew", async () => {
  const damaged = join(dataDir, "dkim", "damaged.example");
  mkdirSync(damaged, { recursive: true });
  writeFileSync(join(damaged, "domain.json"), "{");
  const meter = createMeter(boundsOf);
  const unusable = (): unknown =>
    meter
      .drain()
      .flatMap((one) =>
        one.kind === "gauge" && one.name === "postrider_dkim_keys_unusable" ? one.value : [],
      );
  const said: string[] = [];
  const signing = await openSigning({
    config: configOf(
      `[[dkim]]\ndomain = "a.example"\nselector = "s"\nkey_file = "${join(dataDir, "gone.pem")}"\n`,
    ),
    ...{ clock: systemClock, random: systemRandom, meter },
    log: (_, event) => void said.push(event),
    signWith: async () => {},
  });
  if (typeof signing === "string") throw new Error(signing);
  expect(said.sort()).toEqual(["dkim.folder_damaged", "dkim.key_unusable"]);
  expect(unusable()).toEqual([2]);
  await signing.configure(configOf(""));
  expect(unusable()).toEqual([1]);
});
