// What commands say: text for people, or one JSON document with --json. Colour only where a person looks.
import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

export interface Output {
  out(text: string): void;
  err(text: string): void;
  /** To where `out` goes, as they are. */
  bytes(bytes: Uint8Array): void;
  readonly colors: Colors;
}

export interface OutputOptions {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly bytes: (bytes: Uint8Array) => void;
  /** A terminal, and the user did not ask for plain text (NO_COLOR). */
  readonly color: boolean;
}

export function createOutput({ out, err, bytes, color }: OutputOptions): Output {
  return {
    out: (text) => out(`${text}\n`),
    err: (text) => err(`${text}\n`),
    bytes,
    colors: pc.createColors(color),
  };
}

/** Columns aligned to the widest cell; the last one is left ragged. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

export function json(value: unknown): string {
  return inert(JSON.stringify(value, null, 2));
}

/** The same in one line. */
export function jsonLine(value: unknown): string {
  return inert(JSON.stringify(value));
}

/** What JSON leaves as it is and a terminal obeys: C1 controls, and marks that turn the direction of writing. */
const STEERING = /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** JSON that says the same to a program and does nothing to a terminal. */
export function inert(text: string): string {
  return text.replace(STEERING, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Text from elsewhere (a remote server, a subject) must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "?");
}
