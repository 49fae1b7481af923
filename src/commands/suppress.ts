// `postrider suppress add|remove|list|import`: addresses that get no mail.
import type { Command } from "commander";
import type { ListView } from "../mail/query.ts";
import type { SuppressionView } from "../mail/suppression.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, CommandFailure, type TargetOptions, withTarget } from "./target.ts";

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
      const limit = Number(options.limit ?? LIST_DEFAULT);
      if (!(limit >= 1))
        throw new CommandFailure(
          exitCodes.usage,
          `--limit: found ${options.limit}; allowed: 1 or more`,
        );
      const rows: SuppressionView[] = [];
      for (let after: string | undefined, more = true; more && rows.length < limit;) {
        const query = new URLSearchParams({ limit: String(Math.min(PAGE, limit - rows.length)) });
        if (options.origin !== undefined) query.set("origin", options.origin);
        if (after !== undefined) query.set("after", after);
        const path = `/suppressions?${query.toString()}`;
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
      const bytes = file === "-" ? await deps.readStdin() : deps.readBytes(file);
      if (bytes === undefined) throw new CommandFailure(exitCodes.usage, `no file ${file}`);
      const { addresses, strange } = addressesIn(new TextDecoder().decode(bytes));
      let fresh = 0;
      let refused = 0;
      for (let at = 0; at < addresses.length; at += BATCH) {
        const done = await importPart(addresses.slice(at, at + BATCH), options, deps);
        fresh += done.added;
        refused += done.refused;
      }
      const left = strange + refused;
      const told = { added: fresh, known: addresses.length - refused - fresh, left_out: left };
      const words = `added ${fresh}, ${told.known} were there, ${left} lines left out`;
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

export function addressesIn(text: string): {
  readonly addresses: readonly string[];
  readonly strange: number;
} {
  const rows = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(cellsOf);
  const head = rows[0]?.map((cell) => cell.toLowerCase()) ?? [];
  const named = head.findIndex((cell) => ["email", "address", "recipient"].includes(cell));
  const hasHead = named >= 0 || (rows.length > 0 && !head.some((cell) => cell.includes("@")));
  const column = Math.max(0, named);
  const cells = rows.slice(hasHead ? 1 : 0).map((row) => row[column] ?? "");
  const addresses = cells.filter((cell) => cell.includes("@"));
  return { addresses: [...new Set(addresses)], strange: cells.length - addresses.length };
}

/** RFC 4180, but for quoted line breaks, which no address holds. */
function cellsOf(line: string): string[] {
  const cells: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|[,;\t])(?:"((?:[^"]|"")*)"|([^,;\t]*))/g))
    cells.push((quoted?.replaceAll('""', '"') ?? plain ?? "").trim());
  return cells;
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
