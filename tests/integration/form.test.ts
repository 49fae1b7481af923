// The form that the README sends with curl, as it stands there, through the compiled binary.
import { afterAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDaemon } from "../fixtures/daemon.ts";
import { peer } from "../peers.ts";
import { createEnds, newFolder, reaches } from "./faultsRig.ts";

const ends = createEnds();
afterAll(() => ends.run());

peer("curl").test("a form with a file is sent as the README says", async () => {
  const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
  const line = /^curl .*\n.*-F attachments=@invoice\.pdf$/m.exec(readme)?.[0] ?? "";
  const dataDir = newFolder(ends);
  const daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.test"] });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
  writeFileSync(join(dataDir, "invoice.pdf"), "%PDF-1.4\n");
  const command = line.replace("127.0.0.1:8250", `127.0.0.1:${daemon.port}`);
  const env = { PATH: process.env["PATH"] ?? "", KEY: daemon.key };
  const said = execFileSync("sh", ["-c", command], { cwd: dataDir, env, encoding: "utf8" });
  const { id } = JSON.parse(said) as { id: string };
  await reaches(daemon, id, "delivered");
});
