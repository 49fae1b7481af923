// Our own line in the simulation: it is lost for minutes or days, or somebody forbids port 25; and the watch over what the daemon may
// do meanwhile - one probe at a time, no attempt counted, no lifetime burnt.
import type { Clock } from "../../src/base/clock.ts";
import type { UplinkView } from "../../src/mail/query.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import type { NetworkSigns } from "../../src/queue/outage.ts";
import type { SimClock } from "./time.ts";

export type LineState = "whole" | "lost" | "blocked";

export interface Line {
  state(): LineState;
  /** It breaks, and heals by itself after a while. */
  fall(): void;
  heal(): void;
  /** What a daemon can learn of it besides the fate of its mail. */
  signs(own: Clock): NetworkSigns;
  /** A daemon has started, or is gone. */
  begin(): void;
  told(view: UplinkView): void;
  sent(dispatch: Dispatch): void;
  heard(verdict: Verdict): void;
  /** A probe's verdict may never come. */
  workerLost(): void;
  /** For how long of this time the daemon held its mail. */
  heldMs(from: number, to: number): number;
}

export interface LineDeps {
  readonly clock: SimClock;
  readonly roll: () => number;
  readonly trace: (text: string) => void;
  readonly violation: (text: string) => void;
  /** Connections that stand break, or are never heard of again. */
  readonly tear: () => void;
}

const SECOND_MS = 1000;
const LASTS_MS = [30, 600, 7_200, 43_200, 259_200].map((seconds) => seconds * SECOND_MS);
/** So many questions take so long to go unanswered. */
const SILENT_AFTER_MS = 10 * SECOND_MS;
const UNANSWERED_MS = 4 * SECOND_MS;
const NOTICED_MS = SECOND_MS;
/** A probe that a server keeps silent to for so long tells nothing, and another may follow. */
const PATIENCE_MS = 300 * SECOND_MS;

export function createLine({ clock, roll, trace, violation, tear }: LineDeps): Line {
  let state: LineState = "whole";
  let since = 0;
  let turn = 0;
  let holds = false;
  let heldSince = 0;
  const held: (readonly [number, number])[] = [];
  /** Leases that are out, and since when. */
  const probes = new Map<number, number>();

  const become = (next: LineState): void => {
    if (next === state) return;
    trace(`the line is ${next}`);
    state = next;
    since = clock.monotonicMs();
    turn++;
  };

  return {
    state: () => state,
    fall() {
      become(roll() < 0.6 ? "lost" : "blocked");
      if (state === "lost") tear();
      const fallen = turn;
      const lastsMs = LASTS_MS[Math.floor(roll() * LASTS_MS.length)] as number;
      clock.after(lastsMs * (0.5 + roll()), () => {
        if (turn === fallen) become("whole");
      });
    },
    heal: () => become("whole"),
    signs(own) {
      let answeredAtMono = -1;
      return {
        read: () => ({
          resolverSilent: state === "lost" && own.monotonicMs() - since > SILENT_AFTER_MS,
          answeredAtMono,
          wayOut: true,
        }),
        askResolver: () =>
          new Promise((resolve) => {
            own.after(state === "lost" ? UNANSWERED_MS : 20, () => {
              if (state !== "lost") answeredAtMono = own.monotonicMs();
              resolve();
            });
          }),
      };
    },
    begin() {
      if (holds) held.push([heldSince, clock.now()]);
      holds = false;
      probes.clear();
    },
    told({ state: name }) {
      trace(`the daemon's line is ${name}`);
      if (holds === (name !== "up")) return;
      holds = name !== "up";
      if (holds) heldSince = clock.now();
      else held.push([heldSince, clock.now()]);
      probes.clear();
    },
    sent({ job }) {
      if (!holds) return;
      const now = clock.monotonicMs();
      for (const sentAt of probes.values())
        if (now - sentAt < PATIENCE_MS)
          violation(`${job.message} is sent beside a probe while the line is down`);
      for (const { claim } of job.recipients) probes.set(claim, now);
    },
    heard: ({ claim }) => void probes.delete(claim),
    workerLost() {
      probes.clear();
      // What is sent before its loss is noticed is lost too.
      clock.after(NOTICED_MS, () => probes.clear());
    },
    heldMs: (from, to) =>
      held.reduce(
        (sum, [start, end]) => sum + Math.max(0, Math.min(end, to) - Math.max(start, from)),
        0,
      ),
  };
}
