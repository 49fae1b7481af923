// Which dialogues are written down and which of them are kept: the settings say it, and whoever listens live.
import type { Clock } from "../base/clock.ts";
import type { DialoguesKept } from "../mail/dialogue.ts";
import type { Work } from "./attempt.ts";
import type { Link, Unopened } from "./open.ts";
import { createRecording, type Recording } from "./record.ts";
import { packRecordings } from "./tellings.ts";
import type { Tracer } from "./trace.ts";
import type { Judgement } from "./trouble.ts";

export interface Recorder {
  /** False: nobody would read it. */
  isRecording(): boolean;
  /** The recording of a transaction that begins; its connection's opening is told with the first one. */
  begin(link: Link, work: Work, now: Pick<Recording, "at" | "beganAtMs">): Recording | null;
  /** What was tried in vain belongs to all that waited for it. */
  unopened(work: Work, why: Unopened): void;
  /** What was said in this attempt, for the first of its verdicts that the timeline tells. `isPlain`: everybody got it. */
  take(work: Work, judged: Pick<Judgement, "kind" | "doubt">, isPlain: boolean): string | undefined;
}

export function createRecorder(deps: {
  readonly clock: Clock;
  readonly tracer: Tracer;
  readonly kept: () => DialoguesKept;
}): Recorder {
  const { tracer, kept } = deps;
  /** A thousand messages may have waited for the same connection. */
  let latest: { readonly why: Unopened; readonly tried: readonly Recording[] } | undefined;
  let latestPacked: { readonly said: readonly Recording[]; readonly packed: string } | undefined;

  const isRecording = (): boolean => kept() !== "off" || tracer.listens();

  const triedIn = (why: Unopened): readonly Recording[] => {
    if (latest?.why !== why)
      latest = { why, tried: why.tried.flatMap(({ recording }) => recording ?? []) };
    return latest.tried;
  };

  const packed = (said: readonly Recording[]): string => {
    if (said !== latest?.tried) return packRecordings(said);
    if (latestPacked?.said !== said) latestPacked = { said, packed: packRecordings(said) };
    return latestPacked.packed;
  };

  return {
    isRecording,
    begin(link, work, now) {
      const { opening } = link;
      if (opening.length > 0) link.opening = nothing;
      if (!isRecording()) return null;
      const recording = opening.at(-1) ?? recordingOn(link, now);
      if (opening.length > 1) {
        const vain = opening.slice(0, -1);
        work.said = work.said === undefined ? vain : [...work.said, ...vain];
      }
      if (tracer.listens()) tracer.job(opening.length > 0 ? opening : [recording], work.job);
      return recording;
    },
    unopened(work, why) {
      const tried = triedIn(why);
      if (tried.length === 0) return;
      work.said = work.said === undefined ? tried : [...work.said, ...tried];
      if (tracer.listens()) tracer.unopened(work.job, tried);
    },
    take(work, judged, isPlain) {
      const { said } = work;
      // What is given back untried has no step that could show it.
      if (said === undefined || (judged.kind === "interrupted" && !judged.doubt)) return undefined;
      work.said = undefined;
      const which = kept();
      if (which === "off" || (which === "trouble" && isPlain && said.length === 1))
        return undefined;
      return packed(said);
    },
  };
}

const nothing: readonly Recording[] = [];

function recordingOn(
  { session, target, source, served }: Link,
  { at, beganAtMs }: Pick<Recording, "at" | "beganAtMs">,
): Recording {
  const { host, address } = target;
  return createRecording({ session, host, address, source, at, beganAtMs, reused: served > 0 });
}
