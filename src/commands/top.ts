// `postrider top`: how fast mail flows, what waits and for whom, live. It shows what the dashboard shows: GET /figures and GET /sites.
import type { Command } from "commander";
import type { FiguresView, SiteFigure } from "../mail/figures.ts";
import type { ListView } from "../mail/query.ts";
import { parseDurationMs } from "../config/kinds.ts";
import type { Answer, DaemonClient } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { CommandFailure, notAllowed } from "./failure.ts";
import { json, jsonLine } from "./output.ts";
import { openScreen, type Terminal } from "./screen.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";
import { frame, wholeFrame } from "./topFrame.ts";
import {
  afterKey,
  firstModel,
  type SortName,
  sorts,
  type TopData,
  type TopModel,
} from "./topModel.ts";
import type { Look } from "./topSites.ts";

interface Options extends TargetOptions {
  readonly sort: string;
  readonly every: string;
  readonly once?: boolean;
  readonly json?: boolean;
}

const SITES_MAX = 300;
const EVERY_MIN_MS = 200;
const EVERY_MAX_MS = 3_600_000;
/** For a pipe, which has no width of its own. */
const WIDE = { columns: 160, rows: 60 };
const names = sorts.map(({ name }) => name);

export function addTop(program: Command, deps: CliDeps): void {
  const command = program
    .command("top")
    .description(
      "rates, queue and sites, live; each site with its slowest phase and why it is slow",
    );
  withTarget(command)
    .option("--sort <by>", `order of the sites: ${names.join(", ")}`, "waiting")
    .option("--every <duration>", "how often it looks", "2s")
    .option("--once", "one picture as text, without a terminal")
    .option("--json", "figures and sites as one JSON object a line")
    .addHelpText("after", "\nExample:\n  postrider top --sort slowest")
    .action(async (options: Options) => {
      const sort = sortOf(options.sort);
      const everyMs = everyOf(options.every);
      const client = clientFor(options, deps);
      if (options.json === true) return jsonLines(client, deps, options.once ? null : everyMs);
      const terminal = options.once === true ? null : deps.terminal();
      if (terminal !== null) return live({ client, deps, terminal, everyMs, sort });
      const data = await look(client);
      const { colors } = deps.output;
      const size = deps.terminal()?.size() ?? WIDE;
      const model = { ...firstModel(sort), data };
      for (const line of wholeFrame(model, { size, now: deps.clock.now(), colors }))
        deps.output.out(line.trimEnd());
    });
}

function sortOf(text: string): SortName {
  const found = names.find((name) => name === text || name.replace("/s", "") === text);
  if (found !== undefined) return found;
  throw notAllowed("--sort", text, names.join(", "));
}

function everyOf(text: string): number {
  const everyMs = parseDurationMs(text);
  if (everyMs !== undefined && everyMs >= EVERY_MIN_MS && everyMs <= EVERY_MAX_MS) return everyMs;
  throw notAllowed("--every", text, "200ms to 1h");
}

/** Ends the command where the daemon cannot be asked. */
async function look(client: DaemonClient): Promise<TopData> {
  const [figures, sites] = await ask(client);
  return {
    figures: bodyOf(figures) as FiguresView,
    sites: (bodyOf(sites) as ListView<SiteFigure>).data,
  };
}

function ask(client: DaemonClient): Promise<[Answer, Answer]> {
  return Promise.all([
    client.ask({ method: "GET", path: "/figures" }),
    client.ask({ method: "GET", path: `/sites?limit=${SITES_MAX}` }),
  ]);
}

/** `everyMs` null: once. */
async function jsonLines(
  client: DaemonClient,
  deps: CliDeps,
  everyMs: number | null,
): Promise<void> {
  if (everyMs === null) return deps.output.out(json(await look(client)));
  const stop = deps.untilStopped().then(() => "stop");
  for (;;) {
    deps.output.out(jsonLine(await look(client)));
    const next = new Promise((go) => deps.clock.after(everyMs, () => go("next")));
    if ((await Promise.race([stop, next])) === "stop") return;
  }
}

interface Live {
  readonly client: DaemonClient;
  readonly deps: CliDeps;
  readonly terminal: Terminal;
  readonly everyMs: number;
  readonly sort: SortName;
}

async function live({ client, deps, terminal, everyMs, sort }: Live): Promise<void> {
  // Whoever mistyped the address gets a sentence, and not a screen that waits.
  let model: TopModel = { ...firstModel(sort), data: await look(client) };
  const screen = openScreen(terminal);
  const quit = Promise.withResolvers<"quit">();
  void deps.untilStopped().then(() => quit.resolve("quit"));
  const looks = (): Look => {
    return { size: terminal.size(), now: deps.clock.now(), colors: deps.output.colors };
  };
  const show = (): void => screen.draw(frame(model, looks()));
  terminal.onResize(() => {
    screen.forget();
    show();
  });
  terminal.onKey((key) => {
    const next = afterKey(model, key);
    if (next === "quit") return quit.resolve("quit");
    model = next;
    show();
  });
  try {
    for (;;) {
      show();
      const next = new Promise<"next">((go) => deps.clock.after(everyMs, () => go("next")));
      if ((await Promise.race([quit.promise, next])) === "quit") return;
      const asked = await Promise.race([quit.promise, ask(client)]);
      if (asked === "quit") return;
      model = { ...model, ...told(asked) };
    }
  } finally {
    screen.close();
    terminal.close();
  }
}

/** A daemon that went away is waited for: the last picture stays, and says so. */
function told([figures, sites]: [Answer, Answer]): Partial<TopModel> {
  try {
    const list = bodyOf(sites) as ListView<SiteFigure>;
    return { data: { figures: bodyOf(figures) as FiguresView, sites: list.data }, away: "" };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { away: `waiting for the daemon: ${error.message}` };
  }
}
