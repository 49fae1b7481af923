// The house rules hold, and the rules themselves notice what they are for.
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { violations } from "./house/rules.ts";
import { functionsOf, readSources, root } from "./house/source.ts";

test("the sources keep the house rules", () => {
  expect(violations(readSources(["src", "tests", "scripts"]))).toEqual([]);
});

test("the native addon of cbor-x is not installed and not in the lock file", () => {
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");
  expect(lock).not.toContain("@cbor-extract/");
  expect(existsSync(join(root, "node_modules", "@cbor-extract"))).toBe(false);
  const stand = join(root, "node_modules", "cbor-extract", "package.json");
  expect(JSON.parse(readFileSync(stand, "utf8")).version).toBe("0.0.0-absent");
});

describe("a planted fault is found:", () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      "dns imports smtp",
      "src/dns/cache.ts",
      'import { a } from "../smtp/reply.ts";',
      "dns imports smtp",
    ],
    [
      "queue imports deliver by type",
      "src/queue/a.ts",
      'import type { A } from "../deliver/a.ts";',
      "queue imports deliver",
    ],
    [
      "base imports anything",
      "src/base/a.ts",
      'export { a } from "../mail/id.ts";',
      "may import nothing",
    ],
    [
      "a command imports roles at once",
      "src/commands/serve.ts",
      'import { a } from "../roles/daemon.ts";',
      "commands imports roles",
    ],
    [
      "an unknown room",
      "src/attic/a.ts",
      'import { a } from "../base/clock.ts";',
      "no room of the house",
    ],
    [
      "sqlite at the door",
      "src/submit/a.ts",
      'import { Database } from "bun:sqlite";',
      "own the databases",
    ],
    ["hono in the queue", "src/queue/a.ts", 'import { Hono } from "hono/tiny";', "the door alone"],
    [
      "a socket in the session",
      "src/smtp/session.ts",
      'import net from "node:net";',
      "touch a socket",
    ],
    [
      "a test oracle in the product",
      "src/mail/a.ts",
      'import m from "nodemailer";',
      "no part of the product",
    ],
    ["the clock elsewhere", "src/queue/a.ts", "const a = Date.now();", "only base/clock.ts reads"],
    ["a timer elsewhere", "src/queue/a.ts", "setTimeout(run, 5);", "only base/clock.ts waits"],
    ["randomness elsewhere", "src/queue/a.ts", "const a = Math.random();", "only base/random.ts"],
    ["Bun's API elsewhere", "src/mail/a.ts", 'const a = Bun.hash("x");', "runs under Node too"],
    [
      "the environment elsewhere",
      "src/mail/a.ts",
      "const a = process.env.HOME;",
      "settings come from",
    ],
    ["markup from text", "src/ui/a.tsx", "a.innerHTML = b;", "text nodes alone"],
    ["the page's library at the door", "src/submit/a.ts", 'import { h } from "preact";', "browser"],
    [
      "the page imports the queue",
      "src/ui/a.tsx",
      'import type { A } from "../queue/a.ts";',
      "ui imports queue",
    ],
    ["any", "src/mail/a.ts", "const a = b as any;", "use `unknown`"],
    ["a barrel by name", "src/mail/index.ts", "const a = 1;", "says nothing"],
    ["a drawer of helpers", "tests/utils/a.ts", "const a = 1;", "says nothing"],
    ["a barrel by content", "src/mail/all.ts", 'export * from "./id.ts";', "no barrels"],
    [
      "an import without its extension",
      "src/mail/a.ts",
      'import { a } from "./id";',
      "name the file",
    ],
    ["a note for later", "src/mail/a.ts", "// TODO: later", "open an issue"],
    ["a test that is left out", "tests/a.test.ts", 'test.skip("x", () => {});', "every test runs"],
    ["a silenced type error", "tests/a.test.ts", "// @ts-ignore", "mended, not silenced"],
    ["a line too long", "src/mail/a.ts", `const a = ${"b + ".repeat(30)}c;`, "columns, limit"],
    ["a file too long", "src/mail/a.ts", "const a = 1;\n".repeat(401), "401 lines"],
    [
      "a function too long",
      "src/mail/a.ts",
      `function a(): void {\n${"  b();\n".repeat(70)}}\n`,
      "function of 72",
    ],
  ];
  for (const [name, path, text, expected] of cases) {
    test(name, () => expect(violations([{ path, text }]).join("\n")).toContain(expected));
  }
});

test("what is allowed is left alone", () => {
  const files = [
    { path: "src/commands/serve.ts", text: 'const a = await import("../roles/daemon.ts");' },
    { path: "src/queue/sqlite.ts", text: 'import { Database } from "bun:sqlite";' },
    { path: "src/base/clock.ts", text: "const a = Date.now();" },
    { path: "src/mail/a.ts", text: '// Date.now() is banned.\nconst a = "Math.random()";' },
  ];
  expect(violations(files)).toEqual([]);
});

test("a factory is as long as what it does itself", () => {
  const inner = `  const a = () => {\n${"    b();\n".repeat(60)}  };\n`;
  const text = `function createA(): A {\n${inner}${inner}  return a;\n}\n`;
  expect(functionsOf({ path: "src/a.ts", text }).map(({ lines }) => lines)).toEqual([62, 62, 3]);
});
