// What one run will be like. The seed draws the rates of faults too, none included, so that some runs are calm, some have one kind of
// trouble and some have all of it (TigerBeetle's swarm).
import type { Random } from "../../src/base/random.ts";
import { defaultPolicy, type QueuePolicy } from "../../src/queue/policy.ts";

export interface Plan {
  readonly workers: number;
  readonly sites: number;
  readonly messages: number;
  /** Over this time the messages come in. */
  readonly spanMs: number;
  readonly policy: QueuePolicy;
  readonly siteConnections: number;
  readonly maxConnections: number;
  readonly connectionMessages: number;
  readonly latencyMs: number;
  /** Mail leaves from a new address, capped by these steps, and a warm one; null: from wherever the system likes. */
  readonly steps: readonly number[] | null;
  /** Many deaths in a short time, while mail is on its way. */
  readonly stormy: boolean;
  readonly faults: FaultRates;
}

/** Each is a chance per occasion. */
export interface FaultRates {
  readonly refuseConnect: number;
  readonly hangConnect: number;
  /** Per command: the connection breaks, the server hangs, or it says 421. */
  readonly drop: number;
  readonly hang: number;
  readonly closing: number;
  readonly softGreeting: number;
  readonly softMail: number;
  readonly hardMail: number;
  readonly softRcpt: number;
  readonly hardRcpt: number;
  readonly softData: number;
  readonly softDot: number;
  readonly hardDot: number;
  readonly takeAndDrop: number;
  readonly dropAtDot: number;
  readonly takeAndHang: number;
  readonly brokenTls: number;
  /** A handshake that proves nothing of the server. */
  readonly unprovenTls: number;
  /** A domain that wants its mail on proven connections only, when it is asked about. */
  readonly strictTls: number;
  readonly dnsUnknown: number;
  readonly dnsSlow: number;
  readonly dnsRefused: number;
  readonly full: number;
  readonly ioBefore: number;
  readonly ioAfter: number;
  /** Per simulated hour. */
  readonly kills: number;
  readonly restarts: number;
  readonly workerLosses: number;
  /** The senders have much or nothing to do, so that another number of them is at work. */
  readonly strains: number;
  readonly clockJumps: number;
  /** Our own line is lost, or port 25 forbidden. */
  readonly lineFalls: number;
  /** A verdict of a lost worker still arrives. */
  readonly lateVerdict: number;
}

export const calm: FaultRates = {
  refuseConnect: 0,
  hangConnect: 0,
  drop: 0,
  hang: 0,
  closing: 0,
  softGreeting: 0,
  softMail: 0,
  hardMail: 0,
  softRcpt: 0,
  hardRcpt: 0,
  softData: 0,
  softDot: 0,
  hardDot: 0,
  takeAndDrop: 0,
  dropAtDot: 0,
  takeAndHang: 0,
  brokenTls: 0,
  unprovenTls: 0,
  strictTls: 0,
  dnsUnknown: 0,
  dnsSlow: 0,
  dnsRefused: 0,
  full: 0,
  ioBefore: 0,
  ioAfter: 0,
  kills: 0,
  restarts: 0,
  workerLosses: 0,
  strains: 0,
  clockJumps: 0,
  lineFalls: 0,
  lateVerdict: 0,
};

/** The worst that a rate is drawn up to. */
const worst: FaultRates = {
  refuseConnect: 0.5,
  hangConnect: 0.1,
  drop: 0.05,
  hang: 0.02,
  closing: 0.05,
  softGreeting: 0.2,
  softMail: 0.2,
  hardMail: 0.05,
  softRcpt: 0.4,
  hardRcpt: 0.2,
  softData: 0.2,
  softDot: 0.2,
  hardDot: 0.1,
  takeAndDrop: 0.2,
  dropAtDot: 0.2,
  takeAndHang: 0.1,
  brokenTls: 0.3,
  unprovenTls: 0.3,
  strictTls: 0.5,
  dnsUnknown: 0.4,
  dnsSlow: 0.5,
  dnsRefused: 0.1,
  full: 0.1,
  ioBefore: 0.005,
  ioAfter: 0.005,
  kills: 3,
  restarts: 2,
  workerLosses: 6,
  strains: 20,
  clockJumps: 1,
  lineFalls: 2,
  lateVerdict: 1,
};

const STORM = 60;

export function drawPlan({ roll }: Pick<Random, "roll">): Plan {
  const between = (least: number, most: number): number =>
    least + Math.floor(roll() * (most - least + 1));
  const pick = <T>(items: readonly T[]): T => items[Math.floor(roll() * items.length)] as T;
  // In one run of eight nothing goes wrong; in the others each kind of fault is there or not.
  const calmRun = roll() < 0.125;
  const stormy = roll() < 0.2;
  const drawn = Object.fromEntries(
    Object.entries(worst).map(([name, most]) => {
      const there = roll() < 0.4 && !calmRun;
      const rate = roll() * most;
      return [name, there ? rate : 0];
    }),
  ) as unknown as FaultRates;
  const { kills, restarts, workerLosses, strains } = drawn;
  const faults = stormy
    ? {
        ...drawn,
        kills: kills * STORM,
        restarts: restarts * STORM,
        workerLosses: workerLosses * STORM,
        strains: strains * STORM,
        lateVerdict: roll(),
      }
    : drawn;
  return {
    workers: between(1, 3),
    sites: between(1, 5),
    messages: between(5, 40),
    spanMs: pick([1_000, 60_000, 3_600_000]),
    policy: {
      ...defaultPolicy,
      windowMax: pick([2, 5, 1000]),
      claimMax: pick([3, 256]),
      jobRecipientsMax: pick([2, 100]),
      flightBytesMax: pick([400, 4_000, 64_000_000]),
      queueMessagesMax: pick([15, 1_000_000]),
      routingMax: pick([2, 2000]),
      routingDomainMax: pick([1, 64]),
      leaseMs: pick([600_000, 3_600_000]),
    },
    siteConnections: between(1, 4),
    maxConnections: between(2, 12),
    connectionMessages: pick([1, 3, 100]),
    latencyMs: pick([1, 20, 300]),
    steps: pick([null, null, [2, 4, 8]]),
    stormy,
    faults,
  };
}
