// Mail must not run in a circle: where this host itself is among the MX of a domain, it and every worse one are passed over
// (RFC 5321 5.1). Pure.
import { inRanges, type Cidr } from "../base/cidr.ts";
import type { EpochMs } from "../base/clock.ts";
import { refused, type HostAnswers } from "./select.ts";
import type { Routing } from "./route.ts";

/** This host, as the MX of others may name it. */
export interface Own {
  /** Lower-case. */
  readonly names: readonly string[];
  readonly addresses: readonly Cidr[];
}

export const nobody: Own = { names: [], addresses: [] };

/** RFC 3463: a loop was found. */
const ROUTING_LOOP = "5.4.6";

/** The hosts that are better than this one. */
export function betterThanOwn(answers: readonly HostAnswers[], own: Own): readonly HostAnswers[] {
  if (own.names.length === 0 && own.addresses.length === 0) return answers;
  const best = answers
    .filter((one) => isOwn(one, own))
    .reduce((least, { host }) => Math.min(least, host.preference), Infinity);
  return best === Infinity ? answers : answers.filter(({ host }) => host.preference < best);
}

function isOwn({ host, v6, v4 }: HostAnswers, own: Own): boolean {
  if (own.names.includes(host.name)) return true;
  return [v6, v4].some(
    (answer) =>
      answer.kind === "found" && answer.records.some((address) => inRanges(own.addresses, address)),
  );
}

/** Once no host is better. */
export function refuseLoop(
  domain: string,
  answers: readonly HostAnswers[],
  own: Own,
  freshUntil: EpochMs,
): Routing {
  const host = answers.find((one) => isOwn(one, own))?.host.name ?? domain;
  const text =
    `The best mail server of ${domain} is this host itself (${host}). If another program receives its mail here, ` +
    "or another host has that name, set deny_destinations without the word own";
  return refused(ROUTING_LOOP, text, freshUntil);
}
