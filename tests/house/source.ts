// Reads source text the way the house rules need it: imports, code without comments and strings, and the length of functions.
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";

export interface SourceFile {
  /** From the root of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly line: number;
  readonly from: string;
  readonly dynamic: boolean;
}

export interface FunctionLength {
  readonly line: number;
  readonly lines: number;
}

export const root = join(import.meta.dir, "..", "..");

export function readSources(folders: readonly string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path: relative(root, path), text: readFileSync(path, "utf8") })),
  );
}

const IMPORT = /(?:\bfrom\s+|^\s*import\s+|\bimport\(\s*)"([^"\n]+)"/gm;

export function importsOf(file: SourceFile): Import[] {
  return [...withoutComments(file.text).matchAll(IMPORT)].map((match) => ({
    line: lineAt(file.text, match.index + match[0].length),
    from: match[1] as string,
    dynamic: match[0].includes("import("),
  }));
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ");

// Strings come first in the alternation, so that `//` within a URL is no comment. A template is taken whole:
// code within `${}` is not looked at. Good enough for text that a formatter has passed.
const TOKEN =
  /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** The same text with comments blanked; every offset and line stays. */
export function withoutComments(text: string): string {
  return text.replace(TOKEN, (token) => (token.startsWith("/") ? blank(token) : token));
}

/** The same text with comments and the contents of strings blanked; every offset and line stays. */
export function codeOf(text: string): string {
  return text.replace(TOKEN, blank);
}

const OPENS_FUNCTION = /(?:\bfunction\b.*|=>|\)(?:: [^=;]+)?) \{$/;
const OPENS_BLOCK =
  /^\s*(?:\} )?(?:if|else|for|while|do|switch|try|catch|finally|class|interface|case)\b/;

/**
 * Functions by their formatted shape: from the line that opens the body to the line that closes it at the same indentation.
 * What is nested counts for itself, so a factory is as long as what it does on its own.
 */
export function functionsOf(file: SourceFile): FunctionLength[] {
  const open: { line: number; indent: number; nested: number }[] = [];
  const found: FunctionLength[] = [];
  codeOf(file.text)
    .split("\n")
    .forEach((text, i) => {
      const indent = text.length - text.trimStart().length;
      const last = open.at(-1);
      if (last !== undefined && indent === last.indent && /^\s*\}/.test(text)) {
        open.pop();
        const whole = i + 1 - last.line + 1;
        found.push({ line: last.line, lines: whole - last.nested });
        const outer = open.at(-1);
        if (outer !== undefined) outer.nested += whole;
      }
      if (OPENS_FUNCTION.test(text.trimEnd()) && !OPENS_BLOCK.test(text)) {
        open.push({ line: i + 1, indent, nested: 0 });
      }
    });
  return found;
}
