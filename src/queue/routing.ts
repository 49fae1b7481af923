// Recipients that wait for the DNS. A domain that the resolver is asked about holds its leased recipients in memory, a few of them;
// a domain about which it said nothing rests, and its mail with it, as a paused site does.
import type { EpochMs } from "../base/clock.ts";
import { domainOf } from "../mail/message.ts";
import type { RouteFor, Routing } from "../route/route.ts";
import { siteBackoff } from "./pace.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Site } from "./site.ts";
import type { Claimed } from "./store.ts";

/** Questions that are out at one time; beyond them mail waits in the store. */
const ASKED_MAX = 5_000;

/** Domains at rest that are remembered; beyond them the oldest is asked about again. */
const RESTING_MAX = 10_000;

/** A leased recipient and the line from which it was taken. */
export interface Candidate {
  readonly claimed: Claimed;
  readonly from: Site;
}

export type Found =
  | Routing
  /** The question is out; the candidate is kept and comes back by `onFound`. */
  | { readonly kind: "asked" }
  /** Not now: there is no room to wait in, or the domain rests. */
  | { readonly kind: "later"; readonly dueAt: EpochMs };

export interface Routes {
  /** For mail that is just coming in: undefined when it is not known at once. */
  known(domain: string, now: EpochMs): Extract<Routing, { kind: "route" }> | undefined;
  /** Not before this instant is the domain asked about; 0 for any time. */
  restsUntil(domain: string): EpochMs;
  find(candidate: Candidate, now: EpochMs): Found;
  /** The resolver was silent about the domain: it rests until the instant returned. */
  silent(domain: string, now: EpochMs, roll: number): EpochMs;
  /** The claims of these did not stand. */
  forget(candidates: readonly Candidate[]): void;
  /** Recipients whose question is out. */
  waiting(): number;
  /** Their leases. */
  claims(): Iterable<number>;
  /** Gives all of those back, to be settled by the caller. */
  giveUp(): Candidate[];
}

/** A domain whose waiting room is full asks again after this long. */
const FULL_MS = 1000;

export interface RoutesDeps {
  readonly routeFor: RouteFor;
  readonly policy: QueuePolicy;
  /** The resolver answered; the candidates still hold their leases. */
  readonly onFound: (candidates: readonly Candidate[], routing: Routing) => void;
}

export function createRoutes({ routeFor, policy, onFound }: RoutesDeps): Routes {
  const asked = new Map<string, Candidate[]>();
  const resting = new Map<string, { readonly level: number; readonly until: EpochMs }>();
  let waiting = 0;

  const answered = (domain: string, routing: Routing): void => {
    const candidates = asked.get(domain) ?? [];
    asked.delete(domain);
    waiting -= candidates.length;
    if (routing.kind !== "unknown") resting.delete(domain);
    onFound(candidates, routing);
  };

  const ask = (domain: string, answer: Promise<Routing>): Candidate[] => {
    const candidates: Candidate[] = [];
    asked.set(domain, candidates);
    void answer.then((routing) => answered(domain, routing));
    return candidates;
  };

  const restsUntil = (domain: string): EpochMs => resting.get(domain)?.until ?? 0;

  return {
    known(domain, now) {
      if (restsUntil(domain) > now || asked.has(domain) || asked.size >= ASKED_MAX)
        return undefined;
      const routing = routeFor(domain);
      if (routing instanceof Promise) {
        ask(domain, routing);
        return undefined;
      }
      return routing.kind === "route" ? routing : undefined;
    },
    restsUntil,
    find(candidate, now) {
      const domain = domainOf(candidate.claimed.address);
      const until = restsUntil(domain);
      if (until > now) return { kind: "later", dueAt: until };
      let candidates = asked.get(domain);
      if (candidates === undefined) {
        if (asked.size >= ASKED_MAX) return { kind: "later", dueAt: now + FULL_MS };
        const routing = routeFor(domain);
        if (!(routing instanceof Promise)) {
          if (routing.kind !== "unknown") resting.delete(domain);
          return routing;
        }
        candidates = ask(domain, routing);
      }
      if (candidates.length >= policy.routingDomainMax || waiting >= policy.routingMax)
        return { kind: "later", dueAt: now + FULL_MS };
      candidates.push(candidate);
      waiting++;
      return { kind: "asked" };
    },
    silent(domain, now, roll) {
      const level = resting.get(domain)?.level ?? 0;
      const until = now + siteBackoff(level, undefined, roll);
      resting.delete(domain);
      resting.set(domain, { level: level + 1, until });
      if (resting.size > RESTING_MAX)
        for (const oldest of resting.keys()) {
          resting.delete(oldest);
          break;
        }
      return until;
    },
    forget(candidates) {
      const gone = new Set(candidates);
      for (const [domain, kept] of asked) {
        const left = kept.filter((candidate) => !gone.has(candidate));
        waiting -= kept.length - left.length;
        asked.set(domain, left);
      }
    },
    waiting: () => waiting,
    *claims() {
      for (const candidates of asked.values())
        for (const { claimed } of candidates) yield claimed.claim;
    },
    giveUp() {
      const all = [...asked.values()].flat();
      for (const candidates of asked.values()) candidates.length = 0;
      waiting = 0;
      return all;
    },
  };
}
