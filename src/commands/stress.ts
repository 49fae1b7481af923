// `postrider stress`: a load on a daemon of its own, or on one that runs, and what came of it.
import type { Command } from "commander";
import type { ExplainView } from "../mail/explain.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure, misused } from "./failure.ts";
import { json } from "./output.ts";
import { reportText, type StressReport } from "./stressReport.ts";
import { readWish, type StressOptions, type Wish } from "./stressRequest.ts";
import { whereabouts } from "./stressRoute.ts";
import { answered, clientFor, problemText, targetOf, withTarget } from "./target.ts";

export function addStress(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const command = program
    .command("stress")
    .description("a load on a daemon and a sink of its own, or with --url on one that runs")
    .option("--concurrency <n>", "connections: 50; with --rate at most so many: 500")
    .option("--duration <time>", "how long: 60s unless --count is given")
    .option("--count <n>", "how many messages")
    .option("--rate <n>", "start so many a second, whatever the answers are (open loop)")
    .option("--domain <domain>", "whom it is sent to: example.com, of --url postrider.test")
    .option("--recipients <names>", "as soft-rcpt:5,ok:95, which the sink obeys", "ok")
    .option("--from <address>", "the author")
    .option("--size <size>", "of the text", "5k")
    .option("--priority <p>", "p0, p1 or p2", "p1")
    .option("--drain <time>", "wait at most so long for deliveries afterwards", "30s")
    .option("--warm-up <time>", "the same load for so long before it, which is in no figure")
    .option("--no-follow", "measure what is accepted, and not what becomes of it")
    .option("--folder <folder>", "where its own daemon's data folder is made for the while")
    .option("--send-for-real", "also where the mail leaves this host")
    .option("--json", "the report as JSON");
  withTarget(command)
    .addHelpText(
      "after",
      "\nWithout --url, --data-dir or --config it starts a daemon of its own. An answer 429 or 503 is a failure; with\n" +
        "--concurrency its client waits as long as Retry-After says, with --rate the schedule goes on.\n" +
        "\nExample:\n  postrider stress --concurrency 50 --count 10000 --recipients ok:98,soft-rcpt:2",
    )
    .action(async (options: StressOptions) => {
      end(await stress(options, deps));
    });
}

async function stress(options: StressOptions, deps: CliDeps): Promise<number> {
  const isOwn = [options.url, options.dataDir, options.config].every((one) => one === undefined);
  const wish = readWish(options, isOwn);
  if (!isOwn) await refuseToLeave(options, wish, deps);
  const target = isOwn ? null : targetOf(options, deps, "control");
  const ended = await deps.runStress({ ...wish, target });
  if (ended.kind === "failed") throw new CommandFailure(ended.code, ended.text);
  const { report } = ended;
  deps.output.out(options.json === true ? json(report) : reportText(report));
  return codeOf(report);
}

/** Nothing leaves the host unless it was asked for in so many words. */
async function refuseToLeave(options: StressOptions, wish: Wish, deps: CliDeps): Promise<void> {
  if (options.sendForReal === true) return;
  // The built-in sink has this name wherever the rest goes.
  if (wish.domain === "postrider.test") return;
  const path = `/explain/${encodeURIComponent(wish.domain)}`;
  const said = await clientFor(options, deps).ask({ method: "GET", path });
  if (said.kind === "answer" && (said.status === 401 || said.status === 403))
    throw new CommandFailure(
      exitCodes.noPermission,
      `${problemText(said)}\nWhere mail to ${wish.domain} goes cannot be asked: --send-for-real sends it nevertheless.`,
    );
  const view = answered(said).body as ExplainView;
  const where = whereabouts(view, options.from !== undefined);
  if (where.kind === "leaves")
    throw misused(`${where.why}. Nothing was sent; --send-for-real sends it nevertheless.`);
  if (where.note !== null) deps.output.err(`note: ${where.note}`);
}

function codeOf({ valid, ended_by: endedBy, accepted }: StressReport): number {
  if (endedBy === "unreachable" || endedBy === "daemon_ended") return exitCodes.unreachable;
  const isIdle = accepted.count === 0 && endedBy !== "stopped";
  return valid && !isIdle ? exitCodes.done : exitCodes.failed;
}
