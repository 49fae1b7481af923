// Sets all cases up for one sender, hands it their mail, and judges what came of it. Cases have no server, name or address in common, so
// all of them run at once.
import { type Lab, bad } from "./lab.ts";
import type { FaultCase, Place, Seen, Told } from "./case.ts";
import { certificateFor } from "./certificates.ts";
import type { Made } from "../fixtures/certificates.ts";
import { complaints, type Standard } from "./judge.ts";
import { type MailServer, startMailServer } from "./mailServer.ts";
import { sleep } from "./letters.ts";
import type { NameServer } from "./nameServer.ts";
import { startPolicyServer } from "./policyServer.ts";

export const PORT = 25;

export interface Staged {
  readonly one: FaultCase;
  readonly place: Place;
  /** Those that take mail, and what else must be closed. */
  readonly servers: readonly MailServer[];
  readonly others: readonly { close(): Promise<void> }[];
}

export interface Delivered {
  readonly told: readonly Told[];
  readonly grownBytes: number;
  readonly log: () => string;
}

export interface Sender extends Standard {
  readonly name: string;
  deliver(staged: Staged): Promise<Delivered>;
  stop(): Promise<void>;
}

export interface SenderKind {
  readonly name: string;
  /** Why it cannot be asked at all. */
  missing(lab: Lab): string | undefined;
  /** Why it cannot show this case. */
  unable(one: FaultCase): string | undefined;
  start(staged: readonly Staged[]): Promise<Sender>;
}

export interface Result {
  readonly row: string;
  readonly what: string;
  readonly sender: string;
  readonly mark: "pass" | "fail" | "n.a.";
  /** What is wrong, or why it does not apply. */
  readonly why: string;
}

export interface Arena {
  readonly lab: Lab;
  readonly names: NameServer;
  readonly cases: readonly FaultCase[];
  /** Told as each case ends. */
  progress(result: Result): void;
}

/** All cases for one sender; `number` tells its addresses from those of the others. */
export async function contest(arena: Arena, kind: SenderKind, number: number): Promise<Result[]> {
  const { lab, cases } = arena;
  const missing = kind.missing(lab);
  const results: Result[] = [];
  const told = (one: FaultCase, mark: Result["mark"], why: string): void => {
    const result = { row: one.row, what: one.what, sender: kind.name, mark, why };
    results.push(result);
    arena.progress(result);
  };
  const staged: Staged[] = [];
  for (const [index, one] of cases.entries()) {
    const why = missing ?? kind.unable(one) ?? lacking(lab, one);
    if (why !== undefined) told(one, "n.a.", why);
    else staged.push(await stage(arena, one, { number, index }));
  }
  if (staged.length === 0) return results;
  const sender = await kind.start(staged);
  try {
    await Promise.all(
      staged.map(async (each, i) => {
        // All at once would be the fault of our own machine.
        await sleep(i * APART_MS);
        const found = await tryCase(arena, sender, each);
        told(each.one, found.length === 0 ? "pass" : "fail", found.join("; "));
      }),
    );
  } finally {
    await sender.stop();
    const started = staged.flatMap(({ servers, others }) => [...servers, ...others]);
    await Promise.all(started.map((server) => server.close()));
  }
  return results;
}

function lacking(lab: Lab, one: FaultCase): string | undefined {
  if (one.needs?.includes("packets") !== true || lab.packets) return undefined;
  return "no nftables here to lose packets with";
}

async function tryCase({ lab }: Arena, sender: Sender, staged: Staged): Promise<string[]> {
  const { one, place, servers } = staged;
  try {
    const delivered = await sender.deliver(staged);
    await sleep(one.expect.judgedAfterMs ?? 0);
    const sought = one.needs?.includes("packets") === true ? lab.soughtAddresses() : [];
    const seen: Seen = { place, servers, sought, ...delivered, log: delivered.log() };
    return complaints(one, seen, sender);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

interface Numbers {
  readonly number: number;
  readonly index: number;
}

const APART_MS = 15;

/** So many cases share a third octet; each has eight addresses. */
const CASES_AN_OCTET = 30;
const ADDRESSES = 8;
const OCTETS_A_SENDER = 20;

async function stage(arena: Arena, one: FaultCase, numbers: Numbers): Promise<Staged> {
  const place = placeOf(arena, one, numbers);
  const servers: MailServer[] = [];
  for (const [i, plan] of (one.servers ?? [{}]).entries()) {
    const { name, address } = place.hosts[i] ?? { name: "", address: "" };
    const { offers, script } = plan;
    servers.push(
      await startMailServer({
        ...{ name, address, port: PORT },
        ...(offers === undefined ? {} : { offers }),
        ...(script === undefined ? {} : { script }),
        tls: {
          ...pair(i === 0 ? place.keys : certificateFor(name, plan.certificate)),
          ...plan.tls,
        },
      }),
    );
  }
  if (one.names === undefined) usualNames(place);
  else one.names(place);
  const { policies } = one;
  const others = policies === undefined ? [] : [await startPolicyServer(policies, place)];
  return { one, place, servers, others };
}

function pair({ cert, key }: Made): { cert: string; key: string } {
  return { cert, key };
}

function placeOf({ names }: Arena, one: FaultCase, { number, index }: Numbers): Place {
  const domain = `c${index}.s${number}.test`;
  const third = 1 + number * OCTETS_A_SENDER + Math.floor(index / CASES_AN_OCTET);
  const fourth = 1 + (index % CASES_AN_OCTET) * ADDRESSES;
  const plans = one.servers ?? [{}];
  const hosts = plans.map(({ behind }, i) => ({
    name: `mx${i + 1}.${domain}`,
    address:
      behind === undefined ? `198.18.${third}.${fourth + i}` : `${bad[behind]}.${number + 1}`,
  }));
  const silence = `198.19.${1 + ((number * 31 + index) % 250)}`;
  const silenceV6 = `fd78::${(number + 1).toString(16)}:${(index + 1).toString(16)}`;
  return {
    ...{ domain, hosts, names },
    keys: certificateFor(hosts[0]?.name ?? domain, plans[0]?.certificate),
    policyHost: { name: `mta-sts.${domain}`, address: `198.18.${third}.${fourth + ADDRESSES - 1}` },
    silent: (n) => `${silence}.${n + 1}`,
    isSilent: (address) => address.startsWith(`${silence}.`) || address.startsWith(`${silenceV6}:`),
    silentV6: (n) => `${silenceV6}:${n}`,
  };
}

function usualNames({ domain, hosts, names }: Place): void {
  names.table.set(`${domain} MX`, {
    answers: hosts.map(({ name }, i) => {
      const data = { exchange: name, preference: 10 * (i + 1) };
      return { type: "MX", name: domain, ttl: 60, data };
    }),
  });
  for (const { name, address } of hosts)
    names.table.set(`${name} A`, { answers: [{ type: "A", name, ttl: 60, data: address }] });
}
