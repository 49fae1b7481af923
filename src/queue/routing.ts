// Recipients that wait for the DNS. A domain that the resolver is asked about holds its leased recipients in memory, a few of them;
// a domain about which it said nothing rests, and its mail with it, as a paused site does.
import type { Clock, EpochMs } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Lookup } from "../mail/job.ts";
import { domainOf } from "../mail/message.ts";
import type { RouteFor, Routing } from "../route/route.ts";
import { SINK_SITE } from "./outage.ts";
import { siteBackoff } from "./pace.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Site } from "./site.ts";
import type { Claimed } from "./store.ts";

/** Questions that are out at one time; beyond them mail waits in the store. */
const ASKED_MAX = 5_000;

/** Domains at rest that are remembered; beyond them the oldest is asked about again. */
const RESTING_MAX = 10_000;

/**
 * An answer that takes longer is none: whoever waits for it holds a lease. Above all that the resolver and a policy's fetch may take
 * (15 s a question, several questions a route).
 */
const ANSWER_MAX_MS = 180_000;

/** A leased recipient and the line from which it was taken. */
export interface Candidate {
  readonly claimed: Claimed;
  readonly from: Site;
  /** It waited for the DNS. */
  readonly lookup?: Lookup;
}

export type Untried = (
  recipient: Pick<Claimed, "message" | "n" | "address" | "attempts" | "priority" | "trace"> &
    Partial<Pick<Claimed, "claim" | "sizeBytes">>,
  lookup: Lookup | undefined,
  ended: { readonly kind: "failed" | "deferred"; readonly step: string },
) => void;

export type Found =
  | Routing
  /** The question is out; the candidate is kept and comes back by `onFound`. */
  | { readonly kind: "asked" }
  /** Not now: there is no room to wait in, or the domain rests. */
  | { readonly kind: "later"; readonly dueAt: EpochMs };

export interface Routes {
  /** For mail that is just coming in: undefined when it is not known at once. */
  known(domain: string, now: EpochMs): Extract<Routing, { kind: "route" }> | undefined;
  /** By what the road of such mail is known here: the domain, and the sender's where that has relays of its own. What is captured goes to the sink. */
  roadOf(address: string, from: string, capture: boolean): string;
  /** Not before this instant is the domain asked about; 0 for any time. */
  restsUntil(domain: string): EpochMs;
  find(candidate: Candidate, now: EpochMs): Found;
  /** The resolver was silent about the domain: it rests until the instant returned. */
  silent(domain: string, now: EpochMs, roll: number): EpochMs;
  /** The network is back: what rests for its silence may be asked about at once. */
  askAnew(): void;
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

const SILENT: Routing = { kind: "unknown", text: "the route was not found in time" };

export interface RoutesDeps {
  readonly clock: Pick<Clock, "after" | "now" | "monotonicMs">;
  readonly routeFor: RouteFor;
  readonly policy: QueuePolicy;
  /** The resolver answered; the candidates still hold their leases. */
  readonly onFound: (candidates: readonly Candidate[], routing: Routing) => void;
  /** Whether a sender's domain has relays of its own; undefined: none has. */
  readonly ownRelays: ((senderDomain: string) => boolean) | undefined;
}

export function createRoutes({ clock, routeFor, policy, onFound, ownRelays }: RoutesDeps): Routes {
  const asked = new Map<string, Candidate[]>();
  const resting = new Map<string, { readonly level: number; readonly until: EpochMs }>();
  let waiting = 0;

  const answered = (domain: string, routing: Routing, lookup: Lookup): void => {
    const candidates = asked.get(domain) ?? [];
    asked.delete(domain);
    waiting -= candidates.length;
    if (routing.kind !== "unknown") resting.delete(domain);
    const found = candidates.map((one) => ({ ...one, lookup }));
    onFound(found, routing);
  };

  const ask = (domain: string, answer: Promise<Routing>): Candidate[] => {
    const candidates: Candidate[] = [];
    asked.set(domain, candidates);
    let isOver = false;
    const at = clock.now();
    const beganMs = clock.monotonicMs();
    const settle = (routing: Routing): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      answered(domain, routing, { at, tookMs: clock.monotonicMs() - beganMs });
    };
    const timer = clock.after(ANSWER_MAX_MS, () => settle(SILENT));
    void answer.then(settle);
    return candidates;
  };

  const restsUntil = (domain: string): EpochMs => resting.get(domain)?.until ?? 0;

  const roadOf = (address: string, from: string, capture: boolean): string => {
    if (capture || policy.capture) return SINK_SITE;
    const domain = domainOf(address);
    if (ownRelays === undefined) return domain;
    const senderDomain = domainOf(from);
    return ownRelays(senderDomain) ? `${domain} ${senderDomain}` : domain;
  };

  const routeOf = (road: string): ReturnType<RouteFor> => {
    const space = road.indexOf(" ");
    return space < 0 ? routeFor(road) : routeFor(road.slice(0, space), road.slice(space + 1));
  };

  return {
    known(domain, now) {
      if (restsUntil(domain) > now || asked.has(domain) || asked.size >= ASKED_MAX)
        return undefined;
      const routing = routeOf(domain);
      if (routing instanceof Promise) {
        ask(domain, routing);
        return undefined;
      }
      return routing.kind === "route" ? routing : undefined;
    },
    roadOf,
    restsUntil,
    find(candidate, now) {
      const { address, from, capture } = candidate.claimed;
      const domain = roadOf(address, from, capture);
      const until = restsUntil(domain);
      if (until > now) return { kind: "later", dueAt: until };
      let candidates = asked.get(domain);
      if (candidates === undefined) {
        if (asked.size >= ASKED_MAX) return { kind: "later", dueAt: now + FULL_MS };
        const routing = routeOf(domain);
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
      keepNewest(resting, RESTING_MAX);
      return until;
    },
    askAnew: () => resting.clear(),
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
