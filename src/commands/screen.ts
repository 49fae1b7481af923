// A picture that fills the terminal and changes without a flicker: on the screen beside the one with the user's text, drawn line by line
// where it changed, and everything as it was when it ends.
import type { Size } from "./topSites.ts";

/** A terminal as a command sees it; `roles` gives the real one. */
export interface Terminal {
  size(): Size;
  write(text: string): void;
  /** Keys come one by one, as the terminal sends them, until `close`. */
  onKey(hear: (key: string) => void): void;
  onResize(hear: () => void): void;
  /** The keyboard is as it was before `onKey`. */
  close(): void;
}

// DEC private modes, as xterm and all that follow it have them: 1049 is the other screen, 25 the cursor, 7 wrapping at the margin, and
// between 2026h and 2026l nothing is shown before all is there.
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const BEGIN = "\u001b[?2026h";
const END = "\u001b[?2026l";

export interface Screen {
  draw(lines: readonly string[]): void;
  /** The next picture is drawn whole: the size is another. */
  forget(): void;
  close(): void;
}

export function openScreen(terminal: Pick<Terminal, "write">): Screen {
  let shown: readonly string[] = [];
  let isOpen = true;
  terminal.write(ENTER);
  return {
    draw(lines) {
      const changes = changesOf(shown, lines);
      if (changes !== "") terminal.write(`${BEGIN}${changes}${END}`);
      shown = lines;
    },
    forget() {
      shown = [];
      terminal.write("\u001b[2J");
    },
    close() {
      if (isOpen) terminal.write(LEAVE);
      isOpen = false;
    },
  };
}

/** Only lines that differ; each is ended by clearing what stood behind it. */
export function changesOf(before: readonly string[], lines: readonly string[]): string {
  let text = "";
  for (let i = 0; i < Math.max(before.length, lines.length); i++) {
    const line = lines[i] ?? "";
    if (line !== (before[i] ?? "")) text += `\u001b[${i + 1};1H${line}\u001b[0m\u001b[K`;
  }
  return text;
}

/** What one read of a terminal holds: escape sequences stay whole, so that an arrow is no Esc. */
export function keysOf(text: string): string[] {
  return text.match(/\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|[^\u001b]/gu) ?? [];
}
