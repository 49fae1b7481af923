// What it costs to see everything: metrics, traces of one message in a hundred to a collector that swallows them, and the timeline with its
// dialogues, against all of that off. `scripts/bench seeing`; the options are those of `measuring`.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { freePort, listens } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";
import { compareOnOff } from "./onOff.ts";

const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const collector = spawn(process.execPath, [join(import.meta.dir, "swallower.ts"), String(port)], {
  stdio: "inherit",
});
try {
  await until("the collector listens", () => listens(port));
  await compareOnOff({
    profile: "seeing",
    what: "metrics, traces of 1 % of the messages and the timeline with dialogues",
    on: [
      ...["--metrics", "true", "--dialogues", "all"],
      ...["--otlp-endpoint", url, "--trace-sample", "1%"],
    ],
    off: ["--metrics", "false", "--dialogues", "off"],
    least: 0.85,
    told: async () => {
      const swallowed = (await (await fetch(url)).json()) as { readonly requests: number };
      if (swallowed.requests === 0) throw new Error("no span came to the collector");
      return { swallowed };
    },
  });
} finally {
  collector.kill("SIGTERM");
}
