// `postrider suppress add|remove|list|import`: addresses that get no mail.
import type { Command } from "commander";
import type { ListView } from "../mail/query.ts";
import type { SuppressionView } from "../mail/suppression.ts";
import { addressesIn } from "./addressList.ts";
import { countOf } from "./counts.ts";
import { pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure, misused } from "./failure.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly json?: boolean;
}

interface ListOptions extends Options {
  readonly origin?: string;
  readonly limit?: string;
}

/** Addresses of one request; the daemon takes no more at a time. */
const BATCH = 1000;
const PAGE = 100;
const LIST_DEFAULT = 100;

export function addSuppress(program: Command, deps: CliDeps): void {
  const group = program.command("suppress").description("addresses that get no mail");
  withTarget(group.command("add <address...>").description("no mail to these from now on"))
    .option("--reason <text>", "why, for whoever looks later")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider suppress add ann@example.com --reason asked")
    .action(async (emails: string[], options: Options & { readonly reason?: string }) => {
      const said = await inBatches(emails, (part) =>
        post(options, deps, "add", {
          emails: part,
          ...(options.reason === undefined ? {} : { reason: options.reason }),
        }),
      );
      const fresh = said.filter((one) => one.added === true).length;
      deps.output.out(options.json === true ? json(said) : addedText(fresh, said.length));
    });
  withTarget(group.command("remove <address...>").description("mail goes to these again"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider suppress remove ann@example.com")
    .action(async (emails: string[], options: Options) => {
      const said = await inBatches(emails, (part) =>
        post(options, deps, "remove", { emails: part }),
      );
      deps.output.out(options.json === true ? json(said) : `removed ${said.length}`);
      const missing = emails.length - said.length;
      if (missing > 0)
        throw new CommandFailure(exitCodes.failed, `${missing} were not on the list`);
    });
  addList(group, deps);
  addImport(group, deps);
}

function addList(group: Command, deps: CliDeps): void {
  withTarget(group.command("list").description("who gets no mail and why, newest first"))
    .option("--origin <origin>", "only those of a bounce, a complaint, or manual")
    .option("--limit <n>", `at most so many (${LIST_DEFAULT})`)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider suppress list --origin bounce")
    .action(async (options: ListOptions) => {
      const limit = countOf("--limit", options.limit, 1) ?? LIST_DEFAULT;
      const rows: SuppressionView[] = [];
      for (let after: string | undefined, more = true; more && rows.length < limit;) {
        const rest = String(Math.min(PAGE, limit - rows.length));
        const path = pathWith("/suppressions", { limit: rest, origin: options.origin, after });
        const page = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
        const { data, has_more } = page as ListView<SuppressionView>;
        rows.push(...data);
        after = data.at(-1)?.id;
        more = has_more && after !== undefined;
      }
      deps.output.out(options.json === true ? json(rows) : listText(rows));
    });
}

/** Lines of addresses, or a table with commas whose first column is the address, as other services give it out. */
function addImport(group: Command, deps: CliDeps): void {
  withTarget(
    group.command("import <file>").description("add a list: an address a line, or CSV; - is stdin"),
  )
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nOf CSV the column named email or address counts, else the first; lines without an\n" +
        "address are counted and left out.\n\nExample:\n  postrider suppress import bounces.csv",
    )
    .action(async (file: string, options: Options) => {
      const pieces = file === "-" ? deps.stdin() : deps.readPieces(file);
      if (pieces === undefined) throw misused(`no file ${file}`);
      const told = { added: 0, known: 0, left_out: 0 };
      const send = async (part: readonly string[]): Promise<void> => {
        const { added, refused } = await importPart(part, options, deps);
        told.added += added;
        told.known += part.length - added - refused;
        told.left_out += refused;
      };
      let part: string[] = [];
      for await (const address of addressesIn(pieces)) {
        if (address === null) told.left_out++;
        else if (part.push(address) === BATCH) {
          await send(part);
          part = [];
        }
      }
      await send(part);
      const words = `added ${told.added}, ${told.known} were there, ${told.left_out} lines left out`;
      deps.output.out(options.json === true ? json(told) : words);
    });
}

interface Batched {
  readonly email: string;
  readonly added?: boolean;
}

interface Refusal {
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
}

/** What the daemon takes for no address is left out, and the rest of the part is sent again. */
async function importPart(
  emails: readonly string[],
  options: Options,
  deps: CliDeps,
): Promise<{ readonly added: number; readonly refused: number }> {
  const reason = "imported";
  let part = emails;
  while (part.length > 0) {
    const path = "/suppressions/batch/add";
    const json = { emails: part, reason };
    const said = await clientFor(options, deps).ask({ method: "POST", path, json });
    const { errors = [] } = (said.kind === "answer" ? (said.body ?? {}) : {}) as Refusal;
    const bad = new Set(
      errors.filter(({ code }) => code === "invalid_address").map(({ pointer }) => pointer),
    );
    if (said.kind === "answer" && said.status === 422 && bad.size > 0) {
      part = part.filter((_, i) => !bad.has(`/emails/${i}`));
      continue;
    }
    const { data } = bodyOf(said) as { readonly data: readonly Batched[] };
    const added = data.filter((one) => one.added === true).length;
    return { added, refused: emails.length - part.length };
  }
  return { added: 0, refused: emails.length };
}

async function inBatches<T>(
  all: readonly string[],
  send: (part: readonly string[]) => Promise<readonly T[]>,
): Promise<T[]> {
  const rows: T[] = [];
  for (let at = 0; at < all.length; at += BATCH)
    rows.push(...(await send(all.slice(at, at + BATCH))));
  return rows;
}

async function post(
  options: Options,
  deps: CliDeps,
  verb: "add" | "remove",
  body: object,
): Promise<readonly Batched[]> {
  const path = `/suppressions/batch/${verb}`;
  const said = bodyOf(await clientFor(options, deps).ask({ method: "POST", path, json: body }));
  return (said as { readonly data: readonly Batched[] }).data;
}

function addedText(fresh: number, all: number): string {
  const known = all - fresh;
  return `added ${fresh}${known === 0 ? "" : `, ${known} were there already`}`;
}

function listText(rows: readonly SuppressionView[]): string {
  if (rows.length === 0) return "nobody";
  return table(
    rows.map(({ email, origin, created_at, reason }) =>
      [email, origin, created_at, reason ?? ""].map(printable),
    ),
  );
}
