// The addresses that this host sends from: which one carries a message, how they fare, and what each has had today at each site. All
// of it lives in the queue thread, so that the caps of all senders are counted in one place and written with the leases.
import { type EpochMs, iso } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { unreachable } from "../base/unreachable.ts";
import type { SourceView } from "../mail/explain.ts";
import type { MessageId } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import type { AttemptStep } from "../mail/timeline.ts";
import { SOURCE_UNBOUND, type Verdict } from "../mail/verdict.ts";
import type { Route } from "../route/route.ts";
import { chooseSource, routeFrom, type Source } from "../route/source.ts";
import { capOf, coldOn, isEarned, ladder, onDay, type Warmth } from "../route/warmup.ts";
import { AWAY_MS, createSourceHealth, type SourceHealth } from "./sourceHealth.ts";
import type { KeptAnswer } from "./store.ts";

export interface Sources {
  /** The route from the address that carries the message, charged with one recipient; or when to ask again. */
  assign(route: Route, message: Departing, now: EpochMs): Assigned;
  /** What became of a recipient that was charged. */
  learn(route: Route, verdict: Verdict, now: EpochMs): void;
  /** They never left. */
  refund(route: Route, recipients: number): void;
  /** How each address stands with a site. */
  look(site: string, now: EpochMs): readonly SourceView[];
  /** Rows to be written in the present transaction; they come again until `written`. */
  rows(): readonly KeptAnswer[];
  written(): void;
  /** Exact counts, for the end: a start after it counts on where this ended. */
  settle(): void;
  /** Other addresses from now on; what they have had today stays. */
  configure(settings: SourceSettings): void;
}

export interface Departing {
  readonly message: MessageId;
  readonly from: string;
  /** How it last came to a server, and from which address; absent: it never did. Asked only where it matters. */
  readonly before?: (() => Pick<AttemptStep, "source" | "class"> | undefined) | undefined;
}

/** No address of ours can reach the hosts. */
export interface Stranded {
  readonly kind: "stranded";
  readonly text: string;
  /** After so long it is worth another look. */
  readonly forMs: number;
}

export type Assigned =
  | { readonly kind: "route"; readonly route: Route }
  | Stranded
  /** `site`: it is the same for every message to this site. */
  | { readonly kind: "wait"; readonly until: EpochMs; readonly site: boolean };

export interface SourceSettings {
  readonly sources: readonly Source[];
  /** The setting `[senders]`: by sender domain, the only address that may carry its mail. */
  readonly bySender: ReadonlyMap<string, string>;
}

export interface SourcesDeps {
  readonly settings: SourceSettings;
  readonly log: Log;
  readonly roll: () => number;
  readonly recall: (key: string) => KeptAnswer | undefined;
  /** Caps from the first day on; else those of warmup.ts. */
  readonly steps?: readonly number[];
}

const DAY_MS = 86_400_000;
const dayOf = (at: EpochMs): number => Math.floor(at / DAY_MS);
/** How often mail looks again that none of our addresses can carry: its hosts may have others by then. */
const STRANDED_MS = 3_600_000;
/** Mail of all sites does not begin a new day in the same second. */
const MORNING_SPREAD_MS = 600_000;
/** Sites whose counts are in memory. */
const ACCOUNTS_MAX = 20_000;
/**
 * Counts are written ahead by so many, or by this part of the cap: after a kill the address is believed to have sent more than it
 * did, and never less. What it has earned is written by what was heard, so after a kill it may be less, and never more.
 */
const AHEAD_MIN = 10;
const AHEAD_PART = 100;

interface Account {
  warmth: Warmth;
  /** What the store says has been sent, at least. */
  written: number;
  /** What the store says was heard. */
  heardWritten: number;
  /** Recipients of today that a greylist has put off: they have been counted, and come again. After a kill they count anew. */
  putOff: number;
}

export function createSources(deps: SourcesDeps): Sources {
  const { log, roll, recall, steps = ladder } = deps;
  let { settings } = deps;
  const accounts = new Map<string, Account>();
  const unwritten = new Map<string, KeptAnswer>();
  const variants = new WeakMap<Route, Map<string, Route>>();
  /** The day that a capped route was charged to: what comes back the day after is no room for that day. */
  const chargedOn = new WeakMap<Route, number>();
  const health: SourceHealth = createSourceHealth(log, roll);

  function accountOf(address: string, site: string, day: number): Account {
    const key = keyOf(address, site);
    let account = accounts.get(key);
    if (account === undefined) {
      const kept = warmthOf(unwritten.get(key) ?? recall(key));
      const warmth = kept ?? coldOn(day);
      account = { warmth, written: warmth.sent, heardWritten: warmth.heard, putOff: 0 };
      accounts.set(key, account);
      forgetOldest();
    }
    const today = onDay(account.warmth, day, steps);
    if (today !== account.warmth) {
      account.warmth = today;
      account.written = 0;
      account.heardWritten = 0;
      account.putOff = 0;
    }
    return account;
  }

  /** What is in no row yet stays in `unwritten` until it is, so nothing is lost with an account. */
  function forgetOldest(): void {
    const [oldest] = accounts.keys();
    if (accounts.size <= ACCOUNTS_MAX || oldest === undefined) return;
    const account = accounts.get(oldest);
    if (account !== undefined) writeExactly(oldest, account);
    accounts.delete(oldest);
  }

  function write(key: string, account: Account, sent: number): void {
    account.written = sent;
    const { firstDay, day, rung, heard } = account.warmth;
    account.heardWritten = heard;
    const answer = JSON.stringify({ firstDay, day, rung, sent, heard });
    unwritten.set(key, { key, answer, expiresAt: (day + KEPT_DAYS) * DAY_MS });
  }

  function writeExactly(key: string, account: Account): void {
    const { sent, heard } = account.warmth;
    if (sent !== account.written || heard !== account.heardWritten) write(key, account, sent);
  }

  function charge(address: string, site: string, day: number): void {
    const account = accountOf(address, site, day);
    const sent = account.warmth.sent + 1;
    account.warmth = { ...account.warmth, sent };
    if (sent <= account.written) return;
    const cap = capOf(account.warmth, steps);
    // Past the ladder only the day and the rung matter.
    const ahead = cap === Infinity ? ACCOUNTS_MAX : Math.max(AHEAD_MIN, cap / AHEAD_PART);
    write(keyOf(address, site), account, Math.min(cap, Math.ceil(sent + ahead)));
  }

  /** The same object for the same day, so that jobs of one batch share it. */
  function variantOf(route: Route, source: Source, day: number): Route {
    const known = variants.get(route) ?? new Map<string, Route>();
    variants.set(route, known);
    const key = `${source.address} ${source.ehlo ?? ""} ${day}`;
    const found = known.get(key) ?? routeFrom(route, source);
    if (known.size > VARIANTS_MAX) known.clear();
    known.set(key, found);
    chargedOn.set(found, day);
    return found;
  }

  function assign(route: Route, { message, from, before }: Departing, now: EpochMs): Assigned {
    const { sources, bySender } = settings;
    if (sources.length === 0 || route.via === "sink") return { kind: "route", route };
    const day = dayOf(now);
    // A relay is the operator's own: it needs no convincing.
    const isCapped = (source: Source): boolean => source.warmup && route.via === "mx";
    const isAsked = sources.length > 1 || sources.some(isCapped);
    const last = isAsked ? before?.() : undefined;
    const isCounted = ({ address }: Source): boolean => {
      if (last?.class !== "greylist" || last.source !== address) return false;
      return accountOf(address, route.site, day).putOff > 0;
    };
    const roomOf = (source: Source): number => {
      if (!isCapped(source) || isCounted(source)) return Infinity;
      const { warmth } = accountOf(source.address, route.site, day);
      return capOf(warmth, steps) - warmth.sent;
    };
    const only = bySender.get(domainOf(from));
    const isHere = (address: string): boolean => health.awayUntil(address) <= now;
    const deadEndUntil = (address: string): EpochMs => health.deadEndUntil(address, route.site);
    const state = { restsUntil: health.restsUntil, deadEndUntil, isHere, roomOf };
    const ask = { key: `${message}`, only, before: last?.source };
    const chosen = chooseSource(sources, route, ask, state, now);
    switch (chosen.kind) {
      case "source": {
        const { source } = chosen;
        if (!isCapped(source)) return { kind: "route", route: variantOf(route, source, 0) };
        if (isCounted(source)) accountOf(source.address, route.site, day).putOff--;
        else charge(source.address, route.site, day);
        return { kind: "route", route: variantOf(route, source, day) };
      }
      case "none":
        return { kind: "stranded", text: strandedText(route, only), forMs: STRANDED_MS };
      case "away": {
        const text = `this host does not have ${chosen.addresses.join(", ")}, as [[source]] says`;
        return { kind: "stranded", text, forMs: AWAY_MS };
      }
      case "capped": {
        const until = (day + 1) * DAY_MS + Math.floor(roll() * MORNING_SPREAD_MS);
        log("info", "source.capped", { site: route.site, until: iso(until) });
        return { kind: "wait", until, site: only === undefined };
      }
      default:
        return unreachable(chosen);
    }
  }

  function look(site: string, now: EpochMs): readonly SourceView[] {
    const day = dayOf(now);
    return settings.sources.map(({ address, ehlo, weight, warmup }) => {
      const { warmth } = accountOf(address, site, day);
      const cap = warmup ? capOf(warmth, steps) : Infinity;
      const until = Math.max(health.restsUntil(address), health.awayUntil(address));
      return {
        address,
        ehlo,
        weight,
        rests_until: until > now ? iso(until) : null,
        warmup: cap === Infinity ? null : { sent: warmth.sent, cap },
      };
    });
  }

  /** What the route was charged to, while it is the same day there. */
  function chargedTo(route: Route): Account | undefined {
    const { source, site } = route;
    const account = source === undefined ? undefined : accounts.get(keyOf(source.address, site));
    return account?.warmth.day === chargedOn.get(route) ? account : undefined;
  }

  function credit(route: Route, address: string, { class: about }: Verdict): void {
    const account = chargedTo(route);
    if (account === undefined) return;
    if (about === "greylist") account.putOff++;
    const { warmth } = account;
    // Who comes again is heard twice, and has left once.
    account.warmth = { ...warmth, heard: Math.min(warmth.heard + 1, warmth.sent) };
    // The one that earns the rung is written at once: perhaps nothing else is charged today.
    if (isEarned(account.warmth, steps) && !isEarned(warmth, steps))
      write(keyOf(address, route.site), account, account.written);
  }

  function refund(route: Route, recipients: number): void {
    const account = chargedTo(route);
    if (account === undefined) return;
    const { warmth } = account;
    account.warmth = { ...warmth, sent: Math.max(0, warmth.sent - recipients) };
  }

  return {
    assign,
    learn(route, verdict, now) {
      if (route.source === undefined) return;
      health.learn({ address: route.source.address, site: route.site }, verdict, now);
      // What a server heard of it counts; what never came to a server does not.
      if (isUnheard(verdict)) refund(route, 1);
      else credit(route, route.source.address, verdict);
    },
    refund,
    look,
    rows: () => (unwritten.size === 0 ? NO_ROWS : [...unwritten.values()]),
    written: () => unwritten.clear(),
    settle() {
      for (const [key, account] of accounts) writeExactly(key, account);
    },
    configure: (next) => void (settings = next),
  };
}

const NO_ROWS: readonly KeptAnswer[] = [];
/** Of one route: each address on a few days. */
const VARIANTS_MAX = 256;
function strandedText({ hosts, site }: Route, only: string | undefined): string {
  const theirs = hosts.some(({ addresses }) => addresses.some((one) => one.includes(":")))
    ? "IPv6"
    : "IPv4";
  const ours = only === undefined ? "no address of [[source]]" : `the address ${only} of [senders]`;
  const verb = only === undefined ? "reaches" : "does not reach";
  return `${ours} ${verb} ${site}, which has ${theirs} only`;
}

/** Longer than an address is remembered by others. */
const KEPT_DAYS = 40;

const keyOf = (address: string, site: string): string => `source ${address} ${site}`;

function isUnheard({ kind, unreached, alert }: Verdict): boolean {
  return kind === "interrupted" || unreached !== undefined || alert === SOURCE_UNBOUND;
}

/** Undefined when there is no row, or none that could have been written here. */
function warmthOf(row: KeptAnswer | undefined): Warmth | undefined {
  if (row === undefined || row.answer === "") return undefined;
  const kept = JSON.parse(row.answer) as Readonly<Partial<Record<keyof Warmth, unknown>>>;
  // A row without `heard` still tells what is capped.
  const { firstDay, day, rung, sent, heard = 0 } = kept;
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value);
  if (!isCount(firstDay) || !isCount(day) || !isCount(rung)) return undefined;
  if (!isCount(sent) || !isCount(heard)) return undefined;
  return { firstDay, day, rung, sent, heard };
}
