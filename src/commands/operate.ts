// `postrider queue pause|resume|flush|hold|release|retry|cancel`: what an operator does to mail that is owed.
import type { Command } from "commander";
import { checkedDomain, checkedId } from "./arguments.ts";
import type { CliDeps } from "./deps.ts";
import { misused } from "./failure.ts";
import { json, printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface SpanOptions extends TargetOptions {
  readonly domain?: string;
  readonly site?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const ID = "0199aa00-0000-7000-8000-000000000000";

interface Verb {
  readonly name: "pause" | "resume" | "flush" | "hold" | "release";
  readonly does: string;
  /** It can concern one message too. */
  readonly single: boolean;
  readonly example: string;
}

const verbs: readonly Verb[] = [
  {
    name: "pause",
    does: "send nothing more to a domain or a site until it is resumed; mail is still taken",
    single: false,
    example: "--domain example.com",
  },
  {
    name: "resume",
    does: "send again to what was paused",
    single: false,
    example: "--domain example.com",
  },
  {
    name: "flush",
    does: "try what is deferred now, and forget backoffs; --site also ends a provider's own pause",
    single: true,
    example: "--site google.com",
  },
  {
    name: "hold",
    does: "keep what waits until it is released",
    single: true,
    example: ID,
  },
  { name: "release", does: "let go what is held", single: true, example: "--all" },
];

export function addOperating(group: Command, deps: CliDeps): void {
  for (const verb of verbs) addSpanVerb(group, deps, verb);
  addMessageVerb(group, deps, {
    name: "retry",
    does: "try a deferred message now, or one that gave up once more",
    said: ({ requeued, hastened }) => `requeued ${requeued}, hastened ${hastened}`,
  });
  addMessageVerb(group, deps, {
    name: "cancel",
    does: "send a message no more; it wins until the final dot is sent",
    said: (answer) => movedText("canceled", answer),
  });
}

function addSpanVerb(group: Command, deps: CliDeps, { name, does, single, example }: Verb): void {
  const command = group.command(single ? `${name} [id]` : name).description(does);
  withTarget(command)
    .option("--domain <domain>", "recipients of this domain")
    .option("--site <site>", "all that is sent to this site")
    .option("--all", "everything")
    .option("--json", "as JSON")
    .addHelpText("after", `\nExample:\n  postrider queue ${name} ${example}`)
    .action(async (...given: unknown[]) => {
      const id = single ? (given[0] as string | undefined) : undefined;
      const options = (single ? given[1] : given[0]) as SpanOptions;
      const body = spanOf(name, id, options);
      const client = clientFor(options, deps);
      const path = `/queue/${name}`;
      const said = bodyOf(await client.ask({ method: "POST", path, json: body }));
      deps.output.out(options.json === true ? json(said) : spanText(name, said as SpanAnswer));
    });
}

/** Exactly one must be named: a forgotten option must not mean everything. */
function spanOf(
  name: string,
  id: string | undefined,
  { domain, site, all }: SpanOptions,
): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  if (id !== undefined) body["id"] = checkedId("id", id);
  if (domain !== undefined) body["domain"] = checkedDomain("--domain", domain);
  if (site !== undefined) body["site"] = site;
  if (all === true) body["all"] = true;
  if (Object.keys(body).length === 1) return body;
  throw misused(`queue ${name}: name one of an id, --domain, --site and --all`);
}

type SpanAnswer =
  | { readonly paused: boolean; readonly kind: string; readonly name: string }
  /** Of many, or of one message that was hurried or released. */
  | { readonly object: "queue"; readonly recipients: number }
  | (MovedAnswer & { readonly object: "email" });

interface MessageAnswer extends MovedAnswer {
  readonly requeued?: number;
  readonly hastened?: number;
}

interface MovedAnswer {
  readonly canceled?: number;
  readonly held?: number;
  readonly unchanged?: number;
  readonly recipients?: readonly { readonly address: string; readonly status: string }[];
}

/** Those that it came too late for stand below, one a line. */
function movedText(aim: "canceled" | "held", answer: MovedAnswer): string {
  const { unchanged, recipients = [] } = answer;
  const late = recipients.filter(({ status }) => status !== aim);
  const lines = late.map(
    ({ address, status }) =>
      `  ${address} is ${status}${status === "sending" ? ", past its final dot" : ""}`,
  );
  return [`${aim} ${answer[aim]}, unchanged ${unchanged}`, ...lines].map(printable).join("\n");
}

function spanText(verb: string, said: SpanAnswer): string {
  if ("paused" in said)
    return `${said.kind === "all" ? "everything" : `${said.kind} ${said.name}`} ${
      said.paused ? "is paused" : "goes on"
    }`;
  if (said.object === "email") return movedText("held", said);
  const { recipients } = said;
  return `${verb}: ${recipients} ${recipients === 1 ? "recipient" : "recipients"}`;
}

function addMessageVerb(
  group: Command,
  deps: CliDeps,
  verb: {
    readonly name: "retry" | "cancel";
    readonly does: string;
    said(answer: MessageAnswer): string;
  },
): void {
  const { name, does, said } = verb;
  withTarget(group.command(`${name} <id>`).description(does))
    .option("--json", "as JSON")
    .addHelpText("after", `\nExample:\n  postrider queue ${name} ${ID}`)
    .action(async (id: string, options: TargetOptions & { json?: boolean }) => {
      const path = `/emails/${checkedId("id", id)}/${name}`;
      const answer = bodyOf(await clientFor(options, deps).ask({ method: "POST", path, json: {} }));
      deps.output.out(options.json === true ? json(answer) : said(answer as MessageAnswer));
    });
}
