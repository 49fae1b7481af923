// The terminal that the user sits at. The keyboard is read raw, so that a key acts at once and Ctrl-C is a key like the others, and is
// given back as it was, whatever ends the command.
import { keysOf, type Terminal } from "../commands/screen.ts";
import { onHangUp } from "./signals.ts";

const CTRL_C = "\u0003";

/** Null: nobody looks there, or nobody can type. */
export function openTerminal(): Terminal | null {
  const { stdin, stdout } = process;
  if (stdin.isTTY !== true || stdout.isTTY !== true) return null;
  let whenResized: (() => void) | undefined;
  let isRaw = false;
  let hangUp: { stop(): void } | undefined;
  const giveBack = (): void => {
    if (isRaw) stdin.setRawMode(false);
    isRaw = false;
  };
  return {
    size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
    write: (text) => void stdout.write(text),
    onKey(hear) {
      stdin.setRawMode(true);
      isRaw = true;
      process.once("exit", giveBack);
      // Whoever hangs up, or is made to, leaves as by Ctrl-C, and finds the terminal as it was.
      hangUp = onHangUp(() => hear(CTRL_C));
      stdin.setEncoding("utf8");
      stdin.on("data", (text: string) => keysOf(text).forEach(hear));
      stdin.resume();
      stdin.ref();
    },
    onResize(hear) {
      whenResized = hear;
      stdout.on("resize", hear);
    },
    close() {
      giveBack();
      hangUp?.stop();
      stdin.pause();
      stdin.removeAllListeners("data");
      // It must not be what keeps the process.
      stdin.unref();
      if (whenResized !== undefined) stdout.off("resize", whenResized);
    },
  };
}
