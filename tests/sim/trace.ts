// What happened in a run, line by line: the last lines for the reader, a hash of all of them to compare two runs.

export interface Trace {
  add(line: string): void;
  lines(): readonly string[];
  hash(): string;
}

const FNV_PRIME = 0x01000193;

export function createTrace(monotonicMs: () => number, keep: number): Trace {
  const lines: string[] = [];
  let a = 0x811c9dc5;
  let b = 0x1234567;
  return {
    add(line) {
      const text = `${monotonicMs().toFixed(3)} ${line}`;
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        a = Math.imul(a ^ code, FNV_PRIME);
        b = Math.imul(b + code, FNV_PRIME) ^ (b >>> 15);
      }
      lines.push(text);
      if (lines.length > 2 * keep) lines.splice(0, keep);
    },
    lines: () => lines.slice(-keep),
    hash: () => [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join(""),
  };
}
