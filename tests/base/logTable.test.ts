// Every line of the log stands in the table, with its level and its fields: the table is what an operator's queries are written by.
import { expect, test } from "bun:test";
import { logTable } from "../../src/base/logTable.ts";
import { readSources } from "../house/source.ts";

interface Line {
  readonly where: string;
  /** What its argument may be; empty where that is not written there. */
  readonly levels: readonly string[];
  readonly events: readonly string[];
  readonly fields: readonly string[];
}

const LEVELS = ["debug", "info", "warn", "error"];

function linesOf(path: string, text: string): Line[] {
  const found: Line[] = [];
  for (const { index } of text.matchAll(/\blog\((?!level\b)/g)) {
    const [level = "", event = "", fields = ""] = parts(text, index + "log(".length);
    const levels = wordsOf(level).filter((word) => LEVELS.includes(word));
    if (levels.length === 0) continue;
    const where = `${path}:${text.slice(0, index).split("\n").length}`;
    found.push({ where, levels, events: wordsOf(event), fields: namesOf(fields) });
  }
  return found;
}

/** The texts with commas between them, from behind an opening bracket to the closing one. */
function parts(text: string, from: number): string[] {
  const found: string[] = [];
  let depth = 0;
  let quote = "";
  let start = from;
  for (let i = from; i < text.length; i++) {
    const char = text[i] as string;
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (`"'\``.includes(char)) quote = char;
    else if ("({[".includes(char)) depth++;
    else if (depth === 0 && (char === "," || ")}]".includes(char))) {
      found.push(text.slice(start, i).trim());
      start = i + 1;
      if (char !== ",") break;
    } else if (")}]".includes(char)) depth--;
  }
  return found.filter((part) => part !== "");
}

/** The texts that an expression may be; a template ends in `*`. */
function wordsOf(expression: string): string[] {
  const plain = [...expression.matchAll(/"([^"]*)"/g)].map(([, word = ""]) => word);
  const made = [...expression.matchAll(/`([^`$]*)\$/g)].map(([, word = ""]) => `${word}*`);
  return [...plain, ...made];
}

/** Of an object that is written out there, and of such as are spread into it. */
function namesOf(object: string): string[] {
  if (!object.startsWith("{")) return [];
  return parts(object, 1).flatMap((part) =>
    part.startsWith("...") ? namesOf(part.slice(3)) : [/^"?(\w+)/.exec(part)?.[1] ?? part],
  );
}

const lines = readSources(["src"]).flatMap(({ path, text }) => linesOf(path, text));
const matching = (event: string) =>
  logTable.filter((row) =>
    event.endsWith("*") ? row.event.startsWith(event.slice(0, -1)) : row.event === event,
  );

test("lines are found where they are written", () => {
  expect(lines.length).toBeGreaterThan(50);
});

test("each line has its row, with its level and its fields", () => {
  const strange: string[] = [];
  for (const { where, levels, events, fields } of lines)
    for (const event of events) {
      const rows = matching(event);
      if (rows.length === 0) strange.push(`${where}: ${event} is not in src/base/logTable.ts`);
      if (event.endsWith("*")) continue;
      for (const row of rows) {
        const known = new Set(row.fields.split(" "));
        // Threads know messages by number, and the door gives them their id.
        if (known.has("email_id")) known.add("message");
        for (const name of fields)
          if (!known.has(name)) strange.push(`${where}: ${event} has no field ${name}`);
        for (const level of levels)
          if (level !== row.level && !row.means.includes(`\`${level}\``))
            strange.push(`${where}: ${event} is ${row.level}`);
      }
    }
  expect(strange).toEqual([]);
});

test("each row has its line", () => {
  const written = lines.flatMap(({ events }) => events);
  const texts = readSources(["src"]).filter(({ path }) => !path.endsWith("logTable.ts"));
  const unused = logTable.filter(
    ({ event }) =>
      !written.some(
        (one) => one === event || (one.endsWith("*") && event.startsWith(one.slice(0, -1))),
      ) &&
      // Keys that are handed on as a value.
      !texts.some(({ text }) => text.includes(`"${event}"`)),
  );
  expect(unused.map(({ event }) => event)).toEqual([]);
});

test("a key is an area and words, and no field takes the place of what every line has", () => {
  for (const { event, fields } of logTable) {
    expect(event).toMatch(/^[a-z]+\.[a-z0-9_]+$/);
    for (const name of fields.split(" ")) expect(["time", "level", "event"]).not.toContain(name);
  }
  expect(new Set(logTable.map(({ event }) => event)).size).toBe(logTable.length);
});
