// From a route to a connection that is ready for mail: tries its addresses in order until one has greeted us, is encrypted as the
// policy wants it, and knows who we are.
import { sleep, type Clock, type EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Priority } from "../mail/message.ts";
import type { Target as RouteTarget } from "../route/order.ts";
import type { Route } from "../route/route.ts";
import type { Offer } from "../smtp/extensions.ts";
import { wordsOf } from "../smtp/reply.ts";
import { secretsOf } from "../smtp/secrets.ts";
import { opening, type OpeningEnd, type OpeningOptions } from "../smtp/session.ts";
import type { Dialogue } from "../smtp/dialogue.ts";
import { ehloName } from "./ehloName.ts";
import type { Connect, ConnectFailure, Connection, Target } from "./connection.ts";
import { createTalk, type Talk } from "./drive.ts";
import { createMemory, type Memory } from "./memory.ts";
import type { DeliverMeter } from "./metering.ts";
import { createRecording, note, noteSecured, type Recording } from "./record.ts";
import { type PhaseTimes, timedAt } from "./phaseTimes.ts";
import { type DeliverSettings, roundPauseMs } from "./settings.ts";
import type { Setback } from "./trouble.ts";

/** A connection that is ready for mail. */
export interface Link {
  readonly talk: Talk;
  readonly target: Target;
  readonly offer: Offer;
  /** Names this connection in timelines and logs. */
  readonly session: string;
  readonly source: string;
  /** Transactions so far. */
  served: number;
  /** What was said until it stood, at addresses that were tried in vain too; taken by the first message. */
  opening: readonly Recording[];
  /**
   * The server wants no mail in clear: its host is from now on spoken to encrypted, or not at all. Where only a recipient wants none, the
   * next connection may show that the handshake works again.
   */
  refusesClear(whose: "host" | "recipient"): void;
}

/** One address that was tried in vain. */
export interface Tried {
  readonly target: Target;
  readonly session: string;
  readonly setback: Setback;
  /** It was lost when it had been encrypted. */
  readonly secured: boolean;
  readonly recording: Recording | null;
}

export type Opened = { readonly kind: "ready"; readonly link: Link } | Unopened;

export interface Unopened {
  readonly kind: "failed";
  readonly tried: readonly Tried[];
  readonly at: EpochMs;
  readonly durationMs: number;
}

export interface OpenDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: Connect;
  readonly meter: DeliverMeter;
  readonly log: Log;
  readonly settings: DeliverSettings;
  readonly times: Pick<PhaseTimes, "of">;
  order(route: Route, random: Random): readonly RouteTarget[];
  /** What is said is written down. */
  isRecording(): boolean;
}

export interface OpenRequest {
  readonly route: Route;
  /** Of the most urgent job that waits for it. */
  readonly urgency: Priority;
  /** An address that just failed is tried last, of several the one that failed first; 0: it did not. */
  avoidedUntil(address: string): number;
  readonly signal: AbortSignal;
}

export type Open = (request: OpenRequest) => Promise<Opened>;

/** How long a host whose handshake failed is spoken to in clear, or one that wants no clear text is not; and how many such hosts are remembered. */
const CLEAR = { keepMs: 3_600_000, entriesMax: 1000 };
/** The log names a host that fails a policy in testing so often. */
const TOLD = { keepMs: 3_600_000, entriesMax: 1000 };

export function createOpen(deps: OpenDeps): Open {
  const clear = createMemory(deps.clock, CLEAR);
  const strict = createMemory(deps.clock, CLEAR);
  const told = createMemory(deps.clock, TOLD);
  return async (request) => {
    const settings = deps.settings;
    const at = deps.clock.now();
    const beganAt = deps.clock.monotonicMs();
    const elapsedMs = (): number => deps.clock.monotonicMs() - beganAt;
    const rounds = settings.rounds[request.urgency];
    const tried: Tried[] = [];
    for (let round = 0; ; round++) {
      const link = await openAny(deps, request, {
        tried,
        clear,
        strict,
        told,
        over: () => elapsedMs() > settings.openingMs,
      });
      if (link !== null) {
        const vain = tried.flatMap(({ recording }) => recording ?? []);
        link.opening = [...vain, ...link.opening];
        return { kind: "ready", link };
      }
      if (round >= rounds.times || request.signal.aborted || !tried.every(isFleeting)) break;
      await pause(deps, roundPauseMs(rounds, round, deps.random.roll()), request.signal);
    }
    return { kind: "failed", tried, at, durationMs: elapsedMs() };
  };
}

/** The network refused or hung up at once. A second look costs nothing; what took a minute to fail would take another. */
function isFleeting({ setback }: Tried): boolean {
  if ("kind" in setback) return setback.why === "network";
  return setback.end === "lost" && setback.why === "closed";
}

function pause({ clock }: OpenDeps, pauseMs: number, signal: AbortSignal): Promise<void> {
  // An abort ends the pause; the loop sees it by itself.
  return sleep(clock, pauseMs, signal).catch(() => {});
}

interface Round {
  readonly tried: Tried[];
  readonly clear: Memory;
  /** Hosts that have refused mail because it came in clear. */
  readonly strict: Memory;
  /** Hosts of which the log has been told that they fail a policy that is being tested. */
  readonly told: Memory;
  over(): boolean;
}

interface Step {
  readonly target: RouteTarget;
  readonly manner: Manner;
  /** What ended the handshake before this try in clear. */
  readonly broken: Setback | null;
}

/** One look at each address; where encryption breaks and nobody insists on it, one in clear once all others had theirs. */
async function openAny(deps: OpenDeps, request: OpenRequest, round: Round): Promise<Link | null> {
  const { tried, clear, strict } = round;
  const targets = targetsOf(deps, request, deps.settings.attemptAddresses);
  const steps = targets.map((target): Step => {
    return { target, manner: mannerOf(target, round), broken: null };
  });
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const { target, manner, broken } = step;
    const refusesClear: Link["refusesClear"] = (whose) =>
      whose === "host" ? strict.add(target.host) : clear.forget(target.host);
    const result = await openOne(deps, request, { target, manner, refusesClear });
    if (result.kind === "ready") {
      if (broken !== null) giveUpTls(deps, clear, target.host, broken);
      if (target.demand !== undefined) tellTesting(deps, round, target, result.link);
      return result.link;
    }
    const { setback } = result.tried;
    tried.push(result.tried);
    const next = mannerAfter(manner, result.tried, target);
    if (next?.heloOnly === true) steps.unshift({ target, manner: next, broken });
    else if (next !== null) steps.push({ target, manner: next, broken: setback });
    if (request.signal.aborted || round.over()) break;
  }
  return null;
}

/** Only what works in clear is remembered as broken: a handshake also fails with a network that fails. */
function giveUpTls({ log }: OpenDeps, clear: Memory, host: string, setback: Setback): void {
  clear.add(host);
  log("warn", "tls.given_up", { host, text: "text" in setback ? setback.text : "" });
}

/** RFC 8461 5.1: in testing mode mail is delivered, and what would have kept it back is told. */
function tellTesting(
  { log }: OpenDeps,
  { told }: Round,
  { host, demand }: RouteTarget,
  { talk }: Link,
): void {
  if (demand?.source !== "mta-sts" || demand.mode !== "testing" || told.has(host)) return;
  const tls = talk.tls();
  const why = !demand.listed
    ? "the policy does not list it"
    : tls === null
      ? "no TLS"
      : tls.unproven;
  if (why === "") return;
  told.add(host);
  log("warn", "sts.testing", { host, text: why });
}

function targetsOf(deps: OpenDeps, request: OpenRequest, limit: number): RouteTarget[] {
  const untilMs = ({ address }: RouteTarget): number => request.avoidedUntil(address);
  const all = deps.order(request.route, deps.random).toSorted((a, b) => untilMs(a) - untilMs(b));
  const targets = all.slice(0, limit);
  // RFC 5321 5.1: the next hosts have their turn too, however many addresses the best one has.
  const [first] = targets;
  const next = all.slice(limit).find(({ host }) => host !== first?.host);
  if (next !== undefined && targets.length > 1 && targets.every(({ host }) => host === first?.host))
    targets[targets.length - 1] = next;
  return targets;
}

/** How to speak to a host; it changes when the host cannot bear the first way. */
type Manner = Pick<OpeningOptions, "encrypt"> & { readonly heloOnly: boolean };

function mannerOf({ host, tls }: RouteTarget, { clear, strict }: Round): Manner {
  if (tls === "off") return { encrypt: "never", heloOnly: false };
  if (tls !== "opportunistic" || strict.has(host)) return { encrypt: "always", heloOnly: false };
  return { encrypt: clear.has(host) ? "never" : "offered", heloOnly: false };
}

/** The same host once more on a new connection, in another way; null to go on to the next. */
function mannerAfter(
  manner: Manner,
  { setback, secured }: Tried,
  target: RouteTarget,
): Manner | null {
  if (!("end" in setback) || setback.end !== "lost") return null;
  const { phase, why } = setback;
  // RFC 7435: encryption that nobody insists on gives way when it does not work. A server may refuse a handshake's last word of ours
  // (RFC 8446 4.4.2.4), which shows only in what follows.
  const brokeTls = phase === "starttls" || phase === "tls" || (phase === "ehlo" && secured);
  if (brokeTls && why !== "stopped" && manner.encrypt === "offered")
    return { ...manner, encrypt: "never" };
  const mayBeOld = phase === "ehlo" && why === "closed" && !manner.heloOnly;
  return mayBeOld && manner.encrypt !== "always" && target.login === null
    ? { encrypt: "never", heloOnly: true }
    : null;
}

type OneResult = Extract<Opened, { kind: "ready" }> | { readonly kind: "failed"; tried: Tried };

async function openOne(
  deps: OpenDeps,
  { route, signal }: OpenRequest,
  {
    target: routed,
    manner,
    refusesClear,
  }: Pick<Step, "target" | "manner"> & Pick<Link, "refusesClear">,
): Promise<OneResult> {
  const { host, address, port, implicitTls, login, tls, demand } = routed;
  const asked = demand === undefined ? { tls } : { tls, demand };
  const from = route.source === undefined ? {} : { source: route.source.address };
  const target: Target = { host, address, port, via: route.via, implicitTls, ...asked, ...from };
  const settings = deps.settings;
  const session = hexOf(deps.random, SESSION_OCTETS);
  const recording = deps.isRecording() ? recordingOf(deps, session, target) : null;
  if (recording !== null && login !== null) recording.secrets = secretsOf(login);
  const failed = (setback: Setback, secured = false): OneResult => {
    return { kind: "failed", tried: { target, session, setback, secured, recording } };
  };
  const beganMs = deps.clock.monotonicMs();
  const connection = await deps.connect(target, settings.connectMs, signal);
  const why = connection.kind === "failure" ? connection.why : undefined;
  const tookMs = deps.clock.monotonicMs() - beganMs;
  deps.meter.connected(why, tookMs);
  if (recording !== null) noteConnected(recording, connection, deps.clock.monotonicMs());
  if (connection.kind === "failure") {
    deps.meter.unconnected(route.site, connection.why);
    return failed(connection);
  }
  const times = deps.times.of(route.site);
  times.note("connect", tookMs);
  const { timed, secured } = timedAt(deps.meter, times);
  const talk = createTalk({
    connection,
    clock: deps.clock,
    deadlines: settings.deadlines,
    verifiedOnly: routed.tls === "verify",
    ...{ timed, secured },
  });
  deps.meter.sessions(+1);
  if (connection.tls !== null) secured(connection.tls);
  const dialogue = opening({
    helo: ehloName(route.source?.ehlo ?? settings.helo, connection.source),
    encrypt: manner.encrypt,
    heloOnly: manner.heloOnly,
    secured: connection.tls !== null,
    login,
    clearAllowed: route.via === "sink" || mayTellInClear(routed),
    nonce: () => hexOf(deps.random, NONCE_OCTETS),
  });
  const end = await greet(talk, signal, { dialogue, recording });
  if (end.end === "ready") {
    const { offer } = end;
    const { source } = connection;
    const said = recording === null ? [] : [recording];
    const made = { talk, target, offer, session, source, refusesClear };
    return { kind: "ready", link: { ...made, served: 0, opening: said } };
  }
  tellOfLogin(deps, host, end);
  talk.quit();
  deps.meter.sessions(-1);
  deps.meter.unopened(route.site, end);
  return failed(end, talk.tls() !== null);
}

function recordingOf({ clock }: OpenDeps, session: string, target: Target): Recording {
  const { host, address } = target;
  const begun = { at: clock.now(), beganAtMs: clock.monotonicMs() };
  return createRecording({ session, host, address, source: "", reused: false, ...begun });
}

function noteConnected(
  recording: Recording,
  connection: Connection | ConnectFailure,
  nowMs: number,
): void {
  const { beganAtMs, address } = recording;
  const begun = { phase: "connect", sentAtMs: beganAtMs, sent: "", reply: null } as const;
  if (connection.kind === "failure") {
    const text = `${connection.why}: ${connection.text}`;
    return note(recording, { ...begun, tookMs: nowMs - beganAtMs, text });
  }
  recording.source = connection.source;
  const { tls } = connection;
  const handshakeMs = tls === null ? 0 : tls.handshakeMs + tls.verifyMs;
  const connectedAtMs = Math.max(beganAtMs, nowMs - handshakeMs);
  const tookMs = connectedAtMs - beganAtMs;
  note(recording, { ...begun, tookMs, text: `connected to ${address}` });
  if (tls === null) return;
  noteSecured(recording, tls, { sentAtMs: connectedAtMs, tookMs: handshakeMs });
}

function greet(
  talk: Talk,
  signal: AbortSignal,
  {
    dialogue,
    recording,
  }: { readonly dialogue: Dialogue<OpeningEnd>; readonly recording: Recording | null },
): Promise<OpeningEnd> {
  return new Promise((resolve) => {
    const stop = (): void => talk.close("stopped", "the daemon stops");
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const ended = (end: OpeningEnd): void => {
      signal.removeEventListener("abort", stop);
      resolve(end);
    };
    talk.run(dialogue, null, ended, { recording });
  });
}

export function isLoopback(address: string): boolean {
  return address === "::1" || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

/** A password may be said without TLS on this host, and where the operator names the mechanism of a relay without TLS. */
function mayTellInClear({ address, tls, login }: RouteTarget): boolean {
  return isLoopback(address) || (tls === "off" && login?.mechanism !== undefined);
}

/** Nothing goes through a relay that does not let us in, until somebody mends it. */
function tellOfLogin({ log }: OpenDeps, host: string, end: OpeningEnd): void {
  if (end.end === "unfit" && end.lacks !== "tls")
    log("error", "relay.login_impossible", { host, why: end.text });
  if (end.end !== "refused" || end.phase !== "auth") return;
  const { code } = end.reply;
  // RFC 4954 6: 454 may pass by itself.
  log(code < 500 ? "warn" : "error", "relay.login_refused", {
    host,
    code,
    said: wordsOf(end.reply),
  });
}

const SESSION_OCTETS = 6;
const NONCE_OCTETS = 18;

function hexOf(random: Random, octets: number): string {
  return Buffer.from(random.bytes(octets)).toString("hex");
}
