// What an operator stops and lets go on: a site, a domain or everything. Of a domain the mail waits in a line of its own (pauses.ts).
import { type CommandAnswer, done, type QueueVerb, type Span } from "../mail/command.ts";
import type { Recall } from "../mail/recall.ts";
import type { Turn } from "./launch.ts";
import { parkingLine, type Paused, type Pauses } from "./pauses.ts";
import type { Site, Sites } from "./site.ts";
import type { QueueStore } from "./store.ts";
import { refused, type Stage, type Task } from "./task.ts";

export interface PauseVerbDeps {
  readonly store: Pick<QueueStore, "pause" | "resume" | "siteId">;
  readonly sites: Sites;
  readonly pauses: Pauses;
  readonly expect: (site: Site) => void;
  readonly recall: (recall: Recall) => void;
}

/** So many sites and domains may be paused at one time. */
const PAUSES_MAX = 10_000;

export function pauseTask(
  deps: PauseVerbDeps,
  verb: Extract<QueueVerb, { readonly do: "queue.pause" | "queue.resume" }>,
  answer: (answer: CommandAnswer) => void,
): Task {
  const treat = verb.do === "queue.pause" ? pause : resume;
  return { answer, run: (turn) => treat(deps, turn, verb.span) };
}

function pausedBy(span: Span): Paused {
  return { kind: span.by, name: span.by === "all" ? "" : span.name };
}

function pause(deps: PauseVerbDeps, turn: Turn, span: Span): Stage {
  const { store, pauses, sites } = deps;
  const paused = pausedBy(span);
  if (pauses.count() >= PAUSES_MAX)
    return refused({ kind: "conflict", name: "conflict", detail: `${PAUSES_MAX} are paused.` });
  store.pause({ ...paused, at: turn.now.wall });
  const line = span.by === "domain" ? store.siteId(parkingLine(span.name)) : undefined;
  return {
    committed() {
      pauses.set(paused, line, turn.now.wall);
      stopLine(sites, paused, true);
      deps.recall({ ...span, cut: false });
      return done({ object: "pause", ...paused, paused: true });
    },
  };
}

function resume(deps: PauseVerbDeps, turn: Turn, span: Span): Stage {
  const { store, pauses, sites, expect } = deps;
  const paused = pausedBy(span);
  // Known to the memory too, so that it can be served.
  if (span.by === "domain" && pauses.stopsDomain(span.name))
    sites.numbered(store.siteId(parkingLine(span.name)));
  store.resume(paused);
  return {
    committed() {
      pauses.unset(paused, turn.now.wall);
      const line = stopLine(sites, paused, false);
      if (line !== undefined) {
        // What moved there meanwhile is only in the store: it counts as due until its turn comes.
        line.dueAt.fill(0);
        line.starving = false;
        expect(line);
      }
      for (const site of span.by === "all" ? sites.all() : []) expect(site);
      return done({ object: "pause", ...paused, paused: false });
    },
  };
}

function stopLine(sites: Sites, { kind, name }: Paused, stopped: boolean): Site | undefined {
  if (kind === "all") return undefined;
  const line = sites.find(kind === "site" ? name : parkingLine(name));
  // A site that changes hands stays closed until it has.
  if (line !== undefined) line.stopped = stopped || line.heir !== null;
  return line;
}
