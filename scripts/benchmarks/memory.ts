// What large mail costs in memory: many clients send it at once, in each form, to a fresh daemon that also delivers it. The peak is
// the kernel's own (VmHWM), so nothing is missed between two looks. `scripts/bench memory`; --forms, --clients, --size.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startDaemon } from "../../tests/fixtures/daemon.ts";
import { type UploadForm, upload, uploadForms, uploadOf } from "../../tests/fixtures/upload.ts";
import { until } from "../../tests/fixtures/until.ts";
import { peer } from "../../tests/peers.ts";
import { peakRssBytes, rssBytes } from "./proc.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import { writeReport } from "./sideBySide.ts";

const { values: flags } = parseArgs({
  options: {
    forms: { type: "string", default: uploadForms.join(",") },
    clients: { type: "string" },
    size: { type: "string", default: "25000000" },
    binary: { type: "string" },
  },
});

/** What is promised (DESIGN 9): streamed forms, and forms that are parsed whole and wait for their memory. */
const bounds: Readonly<Record<UploadForm, { readonly clients: number; readonly bytes: number }>> = {
  raw: { clients: 50, bytes: 256_000_000 },
  form: { clients: 50, bytes: 256_000_000 },
  json: { clients: 12, bytes: 400_000_000 },
  cbor: { clients: 12, bytes: 400_000_000 },
};

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const MB = 1_000_000;

interface Measured {
  readonly form: UploadForm;
  readonly clients: number;
  readonly sizeBytes: number;
  readonly idleBytes: number;
  /** While mail was taken and delivered. */
  readonly peakBytes: number;
  readonly afterBytes: number;
  readonly seconds: number;
  readonly boundBytes: number;
}

async function measure(form: UploadForm): Promise<Measured> {
  const smtpSink = peer("smtp-sink");
  const receiver = smtpSink.missing
    ? await startSinkReceiver(1)
    : await startSmtpSink(smtpSink.path, folder, 1);
  const daemon = await startDaemon({
    dataDir: mkdtempSync(join(folder, `${form}-`)),
    ...(flags.binary === undefined ? {} : { binary: flags.binary }),
    flags: [
      ...["--relay", `smtp://127.0.0.1:${receiver.port}?tls=off`, "--hostname", "bench.test"],
      ...["--log-level", "warn"],
    ],
  });
  try {
    const { pid } = daemon.process;
    const { clients: usual, bytes: boundBytes } = bounds[form];
    const clients = Number(flags.clients ?? usual);
    const sizeBytes = Number(flags.size);
    const idleBytes = rssBytes(pid);
    const startedAtMs = performance.now();
    const what = uploadOf(form, sizeBytes);
    const answers = await Promise.all(Array.from({ length: clients }, () => upload(daemon, what)));
    const seconds = (performance.now() - startedAtMs) / 1000;
    const refused = answers.filter((status) => status !== 202);
    if (refused.length > 0) throw new Error(`${form}: not all were taken: ${answers.join(" ")}`);
    await until("all is delivered", () => receiver.count() >= clients);
    const peakBytes = peakRssBytes(pid);
    return {
      form,
      clients,
      sizeBytes,
      idleBytes,
      peakBytes,
      afterBytes: rssBytes(pid),
      seconds,
      boundBytes,
    };
  } finally {
    await daemon.stop();
    await receiver.stop();
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  }
}

async function main(): Promise<void> {
  const measured: Measured[] = [];
  for (const form of uploadForms.filter((one) => flags.forms.split(",").includes(one))) {
    const one = await measure(form);
    measured.push(one);
    const mb = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
    console.log(
      `${form.padEnd(5)}${one.clients} x ${mb(one.sizeBytes)} in ${one.seconds.toFixed(1)} s: idle ` +
        `${mb(one.idleBytes)}, peak ${mb(one.peakBytes)} of ${mb(one.boundBytes)}, ` +
        `afterwards ${mb(one.afterBytes)}`,
    );
  }
  writeReport("memory", folder, { measured });
  if (measured.some((one) => one.peakBytes > one.boundBytes)) process.exitCode = 1;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
