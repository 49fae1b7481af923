// Is it them or is it us? From what single sites and the resolver say, a state of our own line: a pure machine, so that every road
// through it can be listed (DESIGN 7).
//
// - `down`: the resolver is silent, and no server has been reached lately; or three sites that have nothing to do with each other were
//   unreachable at every address, and nobody was reached in between.
// - `port25_blocked`: the same, but the resolver answers: the network is there, and somebody on the way forbids port 25.
//
// While it is not up nothing is sent but one probe at a time. A site that fails while others are reached is dead by its own doing; for
// a while it says nothing of our line.
import { keepNewest } from "../base/keepNewest.ts";
import { unreachable } from "../base/unreachable.ts";

export type UplinkName = "up" | "down" | "port25_blocked";

/** A site that was unreachable. */
export interface Suspect {
  readonly site: string;
  /** Sites in one part of the network may share its fate, and say nothing of our line. */
  readonly network: string;
  readonly port25: boolean;
  readonly atMono: number;
}

export interface Uplink {
  readonly name: UplinkName;
  /** What it was concluded from; empty while it is up. */
  readonly cause: "" | "resolver" | "sites";
  readonly sinceMono: number;
  readonly suspects: readonly Suspect[];
  /** When a server was last reached; -1: never. */
  readonly reachedAtMono: number;
  /** While it is down: when a resolver was first heard from over the network; Infinity: not yet. */
  readonly answeredAtMono: number;
  /** Probes that failed. */
  readonly probes: number;
  /** The next probe goes out then; Infinity while it is up or a probe is out. */
  readonly probeAtMono: number;
  /** When the last one went out. */
  readonly probedAtMono: number;
  /** Dead by their own doing: until when they say nothing. */
  readonly excused: ReadonlyMap<string, number>;
}

export const lineUp: Uplink = {
  name: "up",
  cause: "",
  sinceMono: 0,
  suspects: [],
  reachedAtMono: -1,
  answeredAtMono: Infinity,
  probes: 0,
  probeAtMono: Infinity,
  probedAtMono: -1,
  excused: new Map(),
};

/** What is known besides the fate of single sites. */
export interface Signs {
  /** Every resolver left its last questions unanswered. */
  readonly resolverSilent: boolean;
  /** When one last answered; -1: never. */
  readonly answeredAtMono: number;
  /** False: this host has no way to anywhere else, so that an answer came from this host itself. */
  readonly wayOut: boolean;
}

export type Sighting =
  /** A server spoke. */
  | { readonly kind: "reached"; readonly site: string }
  | ({ readonly kind: "unreached" } & Omit<Suspect, "atMono">)
  | { readonly kind: "look"; readonly signs: Signs }
  | { readonly kind: "probed" }
  /** The probe came back, and nobody was reached. */
  | { readonly kind: "missed" };

/** So many unrelated sites speak for the line. */
const SUSPECTS_MIN = 3;
const SUSPECTS_MAX = 256;
/** Failures that lie further apart have nothing to do with each other. */
const WINDOW_MS = 5 * 60_000;
/** A silent resolver is its own trouble so long as servers are reached. */
const PROOF_MS = 60_000;
const EXCUSED_MS = 3_600_000;
const EXCUSED_MAX = 1000;
const PROBE_FIRST_MS = 1_000;
const PROBE_MAX_MS = 60_000;

export function afterSighting(line: Uplink, sighting: Sighting, mono: number): Uplink {
  switch (sighting.kind) {
    case "reached":
      return reached(line, sighting.site, mono);
    case "unreached":
      return unreached(line, sighting, mono);
    case "look":
      return looked(line, sighting.signs, mono);
    case "probed":
      return line.name === "up" ? line : { ...line, probeAtMono: Infinity, probedAtMono: mono };
    case "missed":
      return line.name === "up" ? line : missed(line, mono);
    default:
      return unreachable(sighting);
  }
}

/** Sites of which something bad is known: a probe that goes elsewhere says more, and dead ones may be many. */
export function doubtfulSites({ suspects, excused }: Uplink): ReadonlySet<string> {
  return new Set([...excused.keys(), ...suspects.map((one) => one.site)]);
}

function reached(line: Uplink, site: string, mono: number): Uplink {
  if (line.name === "up" && line.suspects.length === 0 && !line.excused.has(site))
    return { ...line, reachedAtMono: mono };
  const excused = new Map(line.excused);
  excused.delete(site);
  for (const suspect of line.suspects)
    if (suspect.site !== site) excused.set(suspect.site, mono + EXCUSED_MS);
  keepNewest(excused, EXCUSED_MAX);
  const sinceMono = line.name === "up" ? line.sinceMono : mono;
  return { ...lineUp, sinceMono, reachedAtMono: mono, excused };
}

function unreached(line: Uplink, seen: Omit<Suspect, "atMono">, mono: number): Uplink {
  if ((line.excused.get(seen.site) ?? -1) > mono) return line;
  const { site, network, port25 } = seen;
  const others = line.suspects.filter((one) => one.site !== site && isFresh(line, one, mono));
  const suspects = [...others, { site, network, port25, atMono: mono }].slice(-SUSPECTS_MAX);
  const next = { ...line, suspects };
  if (line.name !== "up") return next;
  const networks = new Set(suspects.map((one) => one.network));
  return networks.size >= SUSPECTS_MIN ? goDown(next, "sites", mono) : next;
}

/** While it is down all that failed since counts. */
function isFresh({ name, reachedAtMono }: Uplink, { atMono }: Suspect, mono: number): boolean {
  return name !== "up" || (atMono >= mono - WINDOW_MS && atMono >= reachedAtMono);
}

function goDown(line: Uplink, cause: "resolver" | "sites", mono: number): Uplink {
  return {
    ...line,
    name: "down",
    cause,
    sinceMono: mono,
    answeredAtMono: Infinity,
    probes: 0,
    probeAtMono: mono + PROBE_FIRST_MS,
    probedAtMono: -1,
  };
}

function missed(line: Uplink, mono: number): Uplink {
  const pauseMs = Math.min(PROBE_MAX_MS, PROBE_FIRST_MS * 2 ** Math.min(line.probes, 10));
  const next = { ...line, probes: line.probes + 1, probeAtMono: mono + pauseMs };
  return isBlocked(line) ? { ...next, name: "port25_blocked" } : next;
}

/** The network is there, and still nobody was reached: by a probe that went out after the resolver had answered. */
function isBlocked({ name, cause, answeredAtMono, probedAtMono, suspects }: Uplink): boolean {
  if (name !== "down" || cause !== "sites" || probedAtMono < answeredAtMono) return false;
  return suspects.every((one) => one.port25);
}

function looked(line: Uplink, signs: Signs, mono: number): Uplink {
  switch (line.name) {
    case "up":
      return signs.resolverSilent && !isProven(line, mono) ? goDown(line, "resolver", mono) : line;
    case "down":
      if (signs.resolverSilent) return line;
      if (line.cause === "resolver") {
        const { reachedAtMono, excused } = line;
        return { ...lineUp, sinceMono: mono, reachedAtMono, excused };
      }
      return hearsAgain(line, signs)
        ? { ...line, answeredAtMono: mono, probeAtMono: soon(line, mono) }
        : line;
    case "port25_blocked":
      return signs.resolverSilent ? { ...line, name: "down", answeredAtMono: Infinity } : line;
    default:
      return unreachable(line.name);
  }
}

/** Servers were reached lately, and none was missed since: a silent resolver is then its own trouble, and known routes still serve. */
function isProven({ reachedAtMono, suspects }: Uplink, mono: number): boolean {
  if (reachedAtMono < 0 || mono - reachedAtMono >= PROOF_MS) return false;
  return suspects.every((one) => one.atMono < reachedAtMono);
}

function hearsAgain({ sinceMono, answeredAtMono }: Uplink, signs: Signs): boolean {
  return answeredAtMono === Infinity && signs.wayOut && signs.answeredAtMono >= sinceMono;
}

/** A probe that is out comes back first. */
function soon({ probeAtMono }: Uplink, mono: number): number {
  return probeAtMono === Infinity ? Infinity : mono;
}

/** In words for the operator. */
export function explainLine(line: Uplink): string {
  switch (line.name) {
    case "up":
      return "";
    case "down":
      return line.cause === "resolver"
        ? "the uplink is down: no resolver answers"
        : `the uplink is down: ${sitesOf(line)} could not be reached at any address`;
    case "port25_blocked":
      return `port 25 is blocked: the resolver answers, but ${sitesOf(line)} could not be reached. ${REMEDY}`;
    default:
      return unreachable(line.name);
  }
}

const REMEDY =
  'Ask your provider to open it, or send through one: relay = "smtp://user:pass@host:587".';
const NAMED_MAX = 3;

function sitesOf({ suspects }: Uplink): string {
  const names = suspects.slice(-NAMED_MAX).map((one) => one.site);
  return names.length === 0 ? "all sites" : names.join(", ");
}
