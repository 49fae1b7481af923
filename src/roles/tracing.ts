// Live looks at dialogues, as the door asks for them: each has a number, the senders are told of it, and what they tell goes to whoever
// listens. A sender that is started meanwhile does not take part.
import type { CommandAnswer, SenderCommand } from "../mail/command.ts";
import type { TraceLine, TraceWish } from "../mail/trace.ts";
import type { Traced } from "./protocol.ts";

export type Hear = (lines: readonly TraceLine[], dropped: number) => void;

export interface Tracing {
  /** Null: too many look already. */
  open(wish: TraceWish, hear: Hear): { close(): void } | null;
  traced(told: Traced): void;
}

const LOOKS_MAX = 16;

export function createTracing(
  askSenders: (command: SenderCommand) => Promise<readonly CommandAnswer[]>,
): Tracing {
  const open = new Map<number, Hear>();
  let last = 0;
  return {
    open(wish, hear) {
      if (open.size >= LOOKS_MAX) return null;
      const number = ++last;
      open.set(number, hear);
      void askSenders({ do: "sender.trace", number, wish });
      return {
        close() {
          if (open.delete(number)) void askSenders({ do: "sender.untrace", number });
        },
      };
    },
    traced: ({ number, lines, dropped }) => open.get(number)?.(lines, dropped),
  };
}
