// `postrider tail`: what happens, as it happens. A daemon that goes away is waited for, and the tale goes on behind the last event.
import type { Command } from "commander";
import { pause } from "../base/clock.ts";
import type { EventView } from "../mail/eventView.ts";
import { eventTypes } from "../mail/event.ts";
import { countOf } from "./counts.ts";
import { pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { inert, printable } from "./output.ts";
import { answered, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly json?: boolean;
  readonly type?: string;
  readonly email?: string;
  readonly to?: string;
  readonly domain?: string;
  readonly after?: string;
  readonly count?: string;
}

/** Between two tries to reach a daemon that went away. */
const AGAIN_MS = 500;
/** As much of an unfinished event as is kept: no event is so long. */
const EVENT_MAX = 1_000_000;

export function addTail(program: Command, deps: CliDeps): void {
  const command = program
    .command("tail")
    .description("events as they happen; goes on where it was when the daemon comes back");
  withTarget(command)
    .option("--json", "one JSON object a line")
    .option("--type <types>", "only these, such as delivered,bounced")
    .option("--email <id>", "only of this message")
    .option("--to <address>", "only of this recipient")
    .option("--domain <domain>", "only of recipients there")
    .option("--after <id>", "from behind this event on, instead of from now on")
    .option("--count <n>", "end after so many events")
    .addHelpText("after", "\nExample:\n  postrider tail --type bounced,failed --domain example.com")
    .action((options: Options) => tail(options, deps));
}

async function tail(options: Options, deps: CliDeps): Promise<void> {
  const count = countOf("--count", options.count, 1) ?? Infinity;
  const { clock, output } = deps;
  const client = clientFor(options, deps);
  const enough = Promise.withResolvers<void>();
  const stop = Promise.race([deps.untilStopped(), enough.promise]);
  let stopped = false;
  void stop.then(() => (stopped = true));
  let last = options.after;
  let shown = 0;
  let reached = false;
  let missed = false;
  const hear = (id: string, data: string): void => {
    if (stopped || shown >= count) return;
    last = id;
    if (data === "") return;
    shown++;
    output.out(options.json === true ? inert(data) : eventLine(JSON.parse(data) as EventView));
    if (shown >= count) enough.resolve();
  };
  const begun = (): void => {
    if (missed) output.err("the daemon is back");
    reached = true;
    missed = false;
  };
  const lost = (upTo: string): void =>
    output.err(`events up to ${upTo} are no longer kept: some of them were not told here`);
  while (!stopped) {
    const read = createEventReader({ hear, begun, lost });
    const ended = await client.follow(pathOf(options, last), read, stop);
    if (stopped) return;
    if (ended !== undefined) {
      // A daemon that was there once is waited for; one that refuses what is asked is not.
      const away = ended.kind === "unreachable" || (ended.kind === "answer" && ended.status >= 500);
      if (!away || !reached) answered(ended);
      if (!missed) output.err("the daemon is away: waiting for it");
      missed = true;
    }
    await Promise.race([stop, pause(clock, AGAIN_MS)]);
  }
}

function pathOf({ type, email, to, domain }: Options, after: string | undefined): string {
  return pathWith("/events/stream", { type, email_id: email, to, domain, after });
}

export interface EventEars {
  readonly hear: (id: string, data: string) => void;
  /** The daemon answers. */
  readonly begun: () => void;
  /** Events up to this id were not told, since they are no longer kept. */
  readonly lost: (upTo: string) => void;
}

/** Server-sent events as they come, in pieces of any size. A place without data is an event that was not asked for. */
export function createEventReader({ hear, begun, lost }: EventEars): (text: string) => void {
  let rest = "";
  return (text) => {
    begun();
    rest += text;
    const events = rest.split("\n\n");
    rest = (events.pop() ?? "").slice(0, EVENT_MAX);
    for (const event of events) {
      const id = /^id: (\d+)$/m.exec(event)?.[1];
      const from = /^: from (\d+) on$/m.exec(event)?.[1];
      const gone = /^: events up to (\d+) are gone$/m.exec(event)?.[1];
      if (from !== undefined) hear(from, "");
      if (gone !== undefined) lost(gone);
      if (id !== undefined) hear(id, /^data: (.*)$/m.exec(event)?.[1] ?? "");
    }
  };
}

const widest = Math.max(...eventTypes.map((type) => type.length)) - "email.".length;

function eventLine({ type, created_at, data }: EventView): string {
  const { text, code, enhanced, host, next_attempt_at: next } = data.postrider;
  const reply = [code, enhanced !== null && text?.startsWith(enhanced) ? null : enhanced, text];
  const words = [
    created_at,
    type.slice("email.".length).padEnd(widest),
    data.email_id,
    data.to.join(" "),
    host === null || host === "" ? null : `(${host})`,
    ...reply,
    next === null ? null : `next at ${next}`,
  ];
  return printable(words.filter((word) => word !== null && word !== "").join(" "));
}
