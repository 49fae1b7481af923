// What is done about the state of our own line (uplink.ts): while it is not up everything waits in the store, one probe at a time looks
// whether it is back, and no time counts against a lifetime. Recipients stay queued or deferred; so that their timelines say why they
// wait, some of them are told `email.held`: as many as a commit or two can bear, not a row for each of a million.
import { type EpochMs, iso } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { UplinkView } from "../mail/query.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Instant } from "./duetime.ts";
import type { Flight } from "./flight.ts";
import type { Hindrances } from "./hindrances.ts";
import type { Turn } from "./launch.ts";
import type { Lulls } from "./lulls.ts";
import { forgive } from "./pace.ts";
import type { Site, Sites } from "./site.ts";
import {
  afterSighting,
  doubtfulSites,
  explainLine,
  lineUp,
  type Sighting,
  type Signs,
  type Uplink,
} from "./uplink.ts";
import type { Waits } from "./waits.ts";

/** What the queue can ask of the network besides sending mail. */
export interface NetworkSigns {
  read(): Signs;
  /** Asks a resolver anything, so that it can show that it lives. Never rejects. */
  askResolver(): Promise<void>;
}

export interface OutageDeps {
  readonly sites: Sites;
  readonly lulls: Lulls;
  readonly waits: Waits;
  readonly hindrances: Pick<Hindrances, "begin" | "end">;
  readonly meter: Meter;
  readonly log: Log;
  readonly signs: NetworkSigns | undefined;
  readonly expect: (site: Site) => void;
  /** Its pause is over. */
  readonly eased: (site: string) => void;
  /** Domains about which the resolver was silent may be asked about again. */
  readonly askAnew: () => void;
  readonly onChange: (view: UplinkView) => void;
  /** A cycle of the engine, soon. */
  readonly schedule: () => void;
}

export interface Outage {
  /** Nothing is sent. */
  holds(): boolean;
  why(): string;
  /** At the beginning of a cycle. */
  look(now: Instant): void;
  /** A verdict came. True when its failure is ours: its site is not to blame. */
  heard(flight: Flight, verdict: Verdict, now: Instant): boolean;
  hasWork(mono: number): boolean;
  /** Inside a transaction, while nothing else is dispatched: a probe leaves by `pump`, and what waits is told. */
  run(turn: Turn, pump: (turn: Turn, site: Site) => void): void;
  /** When the engine must look again, by the monotonic clock. */
  nextAtMono(): number;
  view(): UplinkView;
}

/** Sites that one transaction looks at in search of a probe. */
const PROBE_SITES_MAX = 64;
/** A probe that is silent for longer is lost. */
const PROBE_PATIENCE_MS = 5 * 60_000;
const ASK_EVERY_MS = 5_000;
/** The built-in sink, domain and site, is reached without any line. */
export const SINK_SITE = "postrider.test";

interface State {
  line: Uplink;
  /** By the wall, when the line was first missed. */
  since: EpochMs;
  probe: Flight | null;
  askedAtMono: number;
  isAsking: boolean;
  /** It kept silent when it was asked for nothing else but a sign of life. */
  silenceIsSure: boolean;
}

export function createOutage(deps: OutageDeps): Outage {
  const { sites, lulls, waits, log, signs } = deps;
  const state: State = {
    line: lineUp,
    since: 0,
    probe: null,
    askedAtMono: -Infinity,
    isAsking: false,
    silenceIsSure: false,
  };
  const up = deps.meter.gauge("postrider_uplink_up");
  const blocked = deps.meter.gauge("postrider_port25_blocked");
  up.set(1);
  blocked.set(0);

  const ask = (mono: number): void => {
    if (signs === undefined || state.isAsking || mono - state.askedAtMono < ASK_EVERY_MS) return;
    state.askedAtMono = mono;
    state.isAsking = true;
    void signs.askResolver().then(() => {
      state.isAsking = false;
      state.silenceIsSure = signs.read().resolverSilent;
      deps.schedule();
    });
  };

  /** One domain whose own servers are dead makes a resolver silent, too: that alone is no sign. */
  const readSigns = (from: NetworkSigns, mono: number): Signs => {
    const read = from.read();
    if (!read.resolverSilent) state.silenceIsSure = false;
    if (!read.resolverSilent || state.silenceIsSure) return read;
    ask(mono);
    return { ...read, resolverSilent: false };
  };

  const see = (sighting: Sighting, now: Instant): void => {
    const before = state.line;
    state.line = afterSighting(before, sighting, now.mono);
    if (state.line.name === before.name) return;
    if (before.name === "up") begin(now);
    if (state.line.name === "up") end(before, now);
    else {
      log("error", `uplink.${state.line.name}`, { text: explainLine(state.line) });
      ask(now.mono);
    }
    up.set(state.line.name === "up" ? 1 : 0);
    blocked.set(state.line.name === "port25_blocked" ? 1 : 0);
    deps.onChange(view());
  };

  const begin = (now: Instant): void => {
    const { suspects } = state.line;
    const firstAtMono = Math.min(now.mono, ...suspects.map((one) => one.atMono));
    state.since = Math.floor(now.wall - (now.mono - firstAtMono));
    for (const { site } of suspects) pardon(site);
    deps.hindrances.begin("line", explainLine(state.line), state.since);
    waits.begin();
  };

  /** It was blamed for what was ours. */
  const pardon = (name: string): void => {
    const site = sites.find(name);
    // What a provider asked for stands: it was reached when it did.
    if (site === undefined || site.rule !== "") return;
    forgive(site);
    deps.eased(site.name);
    deps.expect(site);
  };

  const end = (before: Uplink, now: Instant): void => {
    lulls.add(state.since, now.wall);
    deps.hindrances.end("line", now.wall);
    waits.end();
    state.probe = null;
    for (const { site } of before.suspects) pardon(site);
    deps.askAnew();
    deps.expect(sites.unrouted);
    const heldS = Math.max(0, Math.round((now.wall - state.since) / 1000));
    log("info", "uplink.up", { after: before.name, held_s: heldS });
    deps.schedule();
  };

  const isProbeLost = (mono: number): boolean => {
    const { probe, line } = state;
    if (probe === null) return line.probeAtMono === Infinity;
    return probe.open === 0 || mono - line.probedAtMono > PROBE_PATIENCE_MS;
  };

  const sendProbe = (turn: Turn, pump: (turn: Turn, site: Site) => void): void => {
    const before = turn.flights.length;
    const doubtful = doubtfulSites(state.line);
    turn.dispatching = true;
    for (let looked = 0; looked < PROBE_SITES_MAX && turn.flights.length === before; looked++) {
      const site = sites.takeReady(({ name }) => !doubtful.has(name));
      if (site === undefined) break;
      turn.claimsLeft = 1;
      pump(turn, site);
      if (turn.asked.length > 0) break;
    }
    turn.dispatching = false;
    turn.last = null;
    turn.claimsLeft = 0;
    const flight = turn.flights[before];
    see({ kind: "probed" }, turn.now);
    if (flight === undefined) see({ kind: "missed" }, turn.now);
    else state.probe = flight;
  };

  const isSinkReady = (): boolean => sites.find(SINK_SITE)?.ready === true;

  const serveSink = (turn: Turn, pump: (turn: Turn, site: Site) => void): void => {
    const sink = sites.find(SINK_SITE);
    if (sink === undefined || !sink.ready) return;
    sites.takeOut(sink);
    turn.dispatching = true;
    pump(turn, sink);
    turn.dispatching = false;
    turn.last = null;
  };

  function view(): UplinkView {
    const { line, since } = state;
    if (line.name === "up") return { state: "up", since: null, detail: null };
    return { state: line.name, since: iso(since), detail: explainLine(line) };
  }

  return {
    holds: () => state.line.name !== "up",
    why: () => explainLine(state.line),
    look(now) {
      if (signs !== undefined) see({ kind: "look", signs: readSigns(signs, now.mono) }, now);
      if (state.line.name === "up") return;
      ask(now.mono);
      if (isProbeLost(now.mono)) {
        state.probe = null;
        see({ kind: "missed" }, now);
      }
    },
    heard(flight, verdict, now) {
      const { site } = flight;
      if (site.name === SINK_SITE) return false;
      const { line } = state;
      const { unreached } = verdict;
      if (unreached !== undefined) see({ kind: "unreached", site: site.name, ...unreached }, now);
      else if (isReached(verdict)) {
        const isQuiet =
          line.name === "up" && line.suspects.length === 0 && !line.excused.has(site.name);
        if (!isQuiet) see({ kind: "reached", site: site.name }, now);
        // The usual case, once a verdict: nothing else changes.
        else state.line = { ...line, reachedAtMono: now.mono };
      }
      if (flight === state.probe) {
        state.probe = null;
        see({ kind: "missed" }, now);
      }
      return unreached !== undefined && state.line.name !== "up";
    },
    hasWork(mono) {
      if (waits.hasWork() || isSinkReady()) return true;
      return mono >= state.line.probeAtMono && sites.hasReady();
    },
    run(turn, pump) {
      serveSink(turn, pump);
      if (turn.now.mono >= state.line.probeAtMono && sites.hasReady()) {
        lulls.add(state.since, turn.now.wall);
        sendProbe(turn, pump);
      }
      waits.run(turn, explainLine(state.line));
    },
    nextAtMono() {
      const { line, askedAtMono, isAsking } = state;
      if (line.name === "up") return Infinity;
      const probeAt = sites.hasReady() ? line.probeAtMono : Infinity;
      const askAt = isAsking || signs === undefined ? Infinity : askedAtMono + ASK_EVERY_MS;
      return Math.min(probeAt, askAt);
    },
    view,
  };
}

/** A remote server said something: there is a way to it. */
function isReached({ kind, scope, class: trouble }: Verdict): boolean {
  if (kind === "delivered" || kind === "failed") return true;
  if (kind === "interrupted" || trouble === "local" || trouble === "dns") return false;
  // A connection that opens and then is silent may be anybody's on the way.
  return scope === "recipient" || scope === "message" || trouble !== "network";
}
