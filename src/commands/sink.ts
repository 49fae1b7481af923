// `postrider sink`: a receiving server for tests, which obeys the address and counts what it took.
import { type Command, Option } from "commander";
import type { Clock } from "../base/clock.ts";
import { type Endpoint, endpoint, parseEndpoint, showEndpoint } from "../config/kinds.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { misused, notAllowed } from "./failure.ts";
import { json, printable } from "./output.ts";

interface Options {
  readonly listen: string;
  readonly stats?: string;
  readonly tls?: string | true;
  readonly delay: readonly string[];
  readonly fault: readonly string[];
  readonly dump?: string;
  readonly each?: boolean;
  readonly lifeline?: boolean;
  readonly json?: boolean;
}

/** Lines of what was taken go out together. */
const TELL_EVERY_MS = 5;

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function addSink(program: Command, deps: CliDeps, end: (code: number) => void): void {
  program
    .command("sink")
    .description("a receiving server that obeys the address: soft-rcpt@, drop-after-dot@, ...")
    .option("--listen <address>", "where mail is taken", "127.0.0.1:2525")
    .option("--stats <address>", "where GET /stats and /counts are answered over HTTP")
    .option("--tls [kind]", "starttls or implicit")
    .option("--delay <phase=time>", "such as rcpt=200ms; may be repeated", collect, [])
    .option("--fault <phase:code:rate>", "such as rcpt:451:10%; may be repeated", collect, [])
    .option("--dump <folder>", "write every message there")
    .option("--each", "a line for each message as it is taken: when, for whom, its id")
    .addOption(new Option("--lifeline", "end with standard input").hideHelp())
    .option("--json", "count as JSON at the end")
    .addHelpText(
      "after",
      "\nExample:\n  postrider sink --listen 127.0.0.1:2525 --fault rcpt:451:10%",
    )
    .action(async (options: Options) => {
      end(await runSink(options, deps));
    });
}

async function runSink(options: Options, deps: CliDeps): Promise<number> {
  const { output } = deps;
  if (options.lifeline === true) deps.endWithStdin();
  const teller = createTeller(deps.clock, output.out);
  const started = await deps.startSink({
    listen: endpointOf("--listen", options.listen),
    stats: options.stats === undefined ? null : endpointOf("--stats", options.stats),
    tls: tlsOf(options.tls),
    delays: options.delay,
    faults: options.fault,
    dumpDir: options.dump ?? null,
    onTaken: options.each === true ? teller.took : null,
  });
  if (started.kind === "bad") throw misused(started.problems.join("\n"));
  const listen = endpointOf("--listen", options.listen);
  const place = showEndpoint({ host: listen.host, port: started.port });
  const { statsPort } = started;
  if (options.json === true) output.out(JSON.stringify({ listening: place, statsPort }));
  else
    output.out(`taking mail at ${place}${statsPort === 0 ? "" : `, counts at port ${statsPort}`}`);
  await deps.untilStopped();
  const summary = started.summary();
  await started.stop();
  teller.flush();
  if (options.json === true) output.out(json(summary));
  else
    for (const [name, value] of Object.entries(summary))
      output.out(`${name} ${JSON.stringify(value)}`);
  return exitCodes.done;
}

/** `took MILLISECONDS RECIPIENT ID`, the milliseconds since 1970. */
function createTeller(clock: Clock, out: (text: string) => void) {
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length > 0) out(lines.join("\n"));
    lines = [];
  };
  return {
    flush,
    took({ recipients, id }: { readonly recipients: readonly string[]; readonly id: string }) {
      if (lines.length === 0) clock.after(TELL_EVERY_MS, flush);
      const at = clock.now();
      for (const recipient of recipients) lines.push(printable(`took ${at} ${recipient} ${id}`));
    },
  };
}

function endpointOf(option: string, text: string): Endpoint {
  const found = parseEndpoint(text);
  if (found !== undefined) return found;
  throw notAllowed(option, text, endpoint.allowed);
}

function tlsOf(given: string | true | undefined): "starttls" | "implicit" | null {
  if (given === undefined) return null;
  if (given === true || given === "starttls") return "starttls";
  if (given === "implicit") return "implicit";
  throw notAllowed("--tls", given, "starttls, implicit");
}
