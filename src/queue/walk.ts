// A verb that concerns a domain, a site or everything walks over the lines in pieces, one a transaction. What moves behind it meanwhile
// was decided anew after the verb began, and is none of its business.
import { type CommandAnswer, done, type Span } from "../mail/command.ts";
import { domainOf } from "../mail/message.ts";
import type { Turn } from "./launch.ts";
import type { QueueStore, SiteId, Walked, WalkPlace } from "./store.ts";
import type { Next, Stage, Task } from "./task.ts";

/** Recipients looked at in one transaction. */
const STRIDE = 500;

export interface Stride {
  readonly which: Span;
  /** The number of the site that is meant; null for no site, -1 for one that nobody knows. */
  readonly site: SiteId | null;
  /** Inside a transaction; true when it changed something. */
  treat(turn: Turn, row: Walked): boolean;
  /** After the commit. */
  treated(rows: readonly Walked[], dueAt: number): void;
  /** After the first commit. */
  begun(): void;
}

export function createWalkTask(
  store: Pick<QueueStore, "walk" | "recipients">,
  over: "waiting" | "held",
  stride: Stride,
  answer: (answer: CommandAnswer) => void,
): Task {
  let after: WalkPlace | null =
    over === "waiting" && stride.site !== null ? startOf(stride.site) : null;
  let changed = 0;
  let steps = 0;
  return {
    answer,
    run(turn): Stage {
      const rows = store.walk(over, { after, limit: STRIDE });
      const treated = rows.filter((row) => isMeant(stride, row) && stride.treat(turn, row));
      return {
        committed(): Next {
          after = rows.at(-1) ?? after;
          changed += treated.length;
          if (steps++ === 0) stride.begun();
          stride.treated(treated, turn.now.due);
          const beyond = over === "waiting" && stride.site !== null && after?.site !== stride.site;
          if (rows.length === STRIDE && !beyond) return "more";
          return done({ object: "queue", recipients: changed });
        },
      };
    },
  };
}

/** Before the first of a line. */
function startOf(site: SiteId): WalkPlace {
  return { site, priority: 0, dueAt: -1, message: 0, n: 0 };
}

function isMeant(stride: Stride, { address, site }: Walked): boolean {
  const { which } = stride;
  if (which.by === "all") return true;
  return which.by === "domain" ? domainOf(address) === which.name : site === stride.site;
}
