// A judgement and the place where it was made, as the queue is told them: one verdict a recipient, with its step of the timeline.
import { packStep } from "../mail/timeline.ts";
import type { JobRecipient } from "../mail/job.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { AttemptDeps, Work } from "./attempt.ts";
import type { Link } from "./open.ts";
import * as trouble from "./trouble.ts";

/** Where and when something was tried, for the timeline. */
export interface Place {
  readonly at: number;
  readonly durationMs: number;
  readonly host: string;
  readonly address: string;
  readonly source: string;
  readonly session: string;
  readonly tls: ReturnType<Link["talk"]["tls"]>;
  /** Whose DKIM signatures were on it. */
  readonly signed?: string;
}

/** The same for all recipients that are left. */
export function giveVerdicts(
  deps: Pick<AttemptDeps, "clock" | "verdict" | "recorder">,
  work: Work,
  where: Place,
  judged: trouble.Judgement,
): void {
  const { left } = work;
  const at = where.at === 0 ? deps.clock.now() : where.at;
  work.left = [];
  const dialogue = deps.recorder.take(work, judged, false);
  for (const [i, recipient] of left.entries()) {
    const told = i === 0 ? dialogue : undefined;
    deps.verdict(verdictOf(work, recipient, judged, { ...where, at }, told), work);
  }
}

/** `dialogue`: what was said; with one recipient of a transaction for all of them. */
export function verdictOf(
  { job, route }: Work,
  recipient: JobRecipient,
  judged: trouble.Judgement,
  where: Place,
  dialogue: string | undefined,
): Verdict {
  const { kind, scope, doubt, phase, code, enhanced, text } = judged;
  const step = packStep({
    kind: "attempt",
    at: where.at,
    durationMs: Math.round(where.durationMs),
    outcome: kind,
    class: judged.class,
    doubt,
    via: route.via,
    site: route.site,
    host: where.host,
    address: where.address,
    source: where.source,
    session: where.session,
    phase,
    code,
    enhanced,
    text,
    tls: where.tls,
    signed: where.signed ?? "",
  });
  const { message } = job;
  const { n, claim } = recipient;
  const { class: about } = judged;
  const base =
    dialogue === undefined
      ? { message, n, claim, kind, scope, class: about, doubt, step }
      : { message, n, claim, kind, scope, class: about, doubt, step, dialogue };
  return kind === "delivered"
    ? base
    : { ...base, ...trouble.wordsToQueue(judged, where.address, route.port) };
}
