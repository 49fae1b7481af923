// The documents say what the code says: their tables are the code's, and every command in them exists.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { settingsTable, withTables } from "../scripts/docs.ts";
import { createBox } from "./commands/setup.ts";
import { createProgram } from "../src/commands/cli.ts";
import { recipientStates } from "../src/mail/state.ts";
import { rooms } from "./house/rules.ts";

const root = join(import.meta.dir, "..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const documents = readdirSync(root).filter((name) => name.endsWith(".md"));

/** Programs that are not ours; what the documents do with Prometheus is run by tests/lab/rules.test.ts. */
const foreign = new Set(["curl", "promtool", "prometheus"]);

/** Lines of all fenced `sh` blocks. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap((match) =>
    (match[1] as string).split("\n").filter((line) => line !== "" && !line.startsWith("#")),
  );
}

describe("the README", () => {
  test("holds the tables that the code gives (scripts/docs.ts writes them)", () => {
    expect(read("README.md")).toBe(withTables(read("README.md")));
    expect(settingsTable()).toContain("| `listen` | `127.0.0.1:8250` |");
  });
});

describe("every command in the documents exists:", () => {
  const program = createProgram(createBox().deps, { end: () => {}, complain: () => {} });
  for (const name of documents)
    for (const line of commandsIn(read(name)))
      test(`${name}: ${line.slice(0, 70)}`, () => {
        const words = line.split(" ");
        const [first = ""] = words;
        if (foreign.has(first)) return;
        if (first !== "dist/postrider") {
          expect(statSync(join(root, first)).mode & 0o100).toBe(0o100);
          return;
        }
        let command = program;
        for (const word of words.slice(1)) {
          if (command.commands.length === 0) break;
          const found = command.commands.find((one) => one.name() === word);
          if (found === undefined) throw new Error(`${command.name()} has no command ${word}`);
          command = found;
        }
        const flags = words.filter((word) => word.startsWith("--"));
        const known = command.options.map((option) => option.long);
        for (const flag of flags) expect(known).toContain(flag);
      });
});

test("every command that the sources name exists", () => {
  const program = createProgram(createBox().deps, { end: () => {}, complain: () => {} });
  const known = new Set(program.commands.map((command) => command.name()));
  const files = new Bun.Glob("src/**/*.{ts,tsx}").scanSync(root);
  const named = [...files].flatMap((name) =>
    [...read(name).matchAll(/(?<![\w./-])postrider ([a-z]+)/g)].map(([, word = ""]) => [
      name,
      word,
    ]),
  );
  expect(named.length).toBeGreaterThan(50);
  const prose = ["or"];
  const strange = named.filter(([, word = ""]) => !known.has(word) && !prose.includes(word));
  expect(strange).toEqual([]);
});

test("links between the documents lead somewhere", () => {
  for (const name of documents)
    for (const [, target = ""] of read(name).matchAll(/\]\(([A-Za-z0-9_./-]+)\)/g))
      expect(existsSync(join(root, target))).toBe(true);
});

test("ARCHITECTURE names every room and every state", () => {
  const text = read("ARCHITECTURE.md");
  for (const room of Object.keys(rooms)) expect(text).toContain(`\`${room}\``);
  for (const state of recipientStates) expect(text).toContain(`| \`${state}\` |`);
});

test("ARCHITECTURE says of every dependency what it is for", () => {
  const text = read("ARCHITECTURE.md");
  for (const name of [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.devDependencies),
  ])
    expect(text).toContain(name.startsWith("@types/") ? "`@types/*`" : `\`${name}\``);
});
