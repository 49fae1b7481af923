// Files of addresses as other services give them out: an address a line, or a table with commas (RFC 4180).

/** A file without line breaks is no list. */
const LINE_MAX = 10_000;

/** One a line that is not empty and no comment; null: the line has none. Nothing but the present piece is held. */
export async function* addressesIn(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<string | null, void, void> {
  let column: number | undefined;
  for await (const line of linesOf(pieces)) {
    if (line === "" || line.startsWith("#")) continue;
    const cells = cellsOf(line);
    if (column === undefined) {
      const head = cells.map((cell) => cell.toLowerCase());
      const named = head.findIndex((cell) => ["email", "address", "recipient"].includes(cell));
      column = Math.max(0, named);
      if (named >= 0 || (cells.length > 1 && !head.some((cell) => cell.includes("@")))) continue;
    }
    const cell = cells[column] ?? "";
    yield cell.includes("@") ? cell : null;
  }
}

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const text = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + text.decode(piece, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, LINE_MAX);
    for (const line of lines) yield line.trim();
  }
  yield (rest + text.decode()).trim();
}

/** RFC 4180, but for quoted line breaks, which no address holds. */
function cellsOf(line: string): string[] {
  const cells: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|[,;\t])(?:"((?:[^"]|"")*)"|([^,;\t]*))/g))
    cells.push((quoted?.replaceAll('""', '"') ?? plain ?? "").trim());
  return cells;
}
