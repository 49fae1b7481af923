// Whose mail this daemon signs: the keys of the settings and those made here, the desk that changes them, and the senders that are
// told. The keys lie in files, so no other thread takes part.
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { inRanges, ipFamily, parseCidrList } from "../base/cidr.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { Config } from "../config.ts";
import { createResolver } from "../dns/resolver.ts";
import { createUpstream } from "../dns/upstream.ts";
import { openBook } from "../domains/book.ts";
import { createDesk, type Desk } from "../domains/desk.ts";
import type { Look } from "../domains/check.ts";
import type { Origin } from "../domains/records.ts";
import { createAlignment } from "../mail/dkim/alignment.ts";
import type { DkimKey } from "../mail/dkim/key.ts";
import { parseRelays } from "../route/relay.ts";
import { DKIM_FOLDER } from "./dataFolder.ts";
import { settingsKeys } from "./dkimKeys.ts";
import { upstreamSettings } from "./settings.ts";

export interface Signing {
  readonly desk: Desk;
  /** Whether a key covers this sender domain, at this moment. */
  readonly covers: (domain: string) => boolean;
  /** Takes new settings; resolves once every sender signs by them. */
  configure(next: Config): Promise<void>;
}

/** A text says why the folder of keys cannot be used. */
export async function openSigning(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** Resolves once every sender signs with exactly these. */
  signWith(keys: readonly DkimKey[]): Promise<void>;
}): Promise<Signing | string> {
  const { clock, random, log } = deps;
  const alignment = createAlignment();
  const signWith = (keys: readonly DkimKey[]): Promise<void> => {
    alignment.learn(keys);
    return deps.signWith(keys);
  };
  let { config } = deps;
  let damaged = 0;
  const unusable = deps.meter.gauge("postrider_dkim_keys_unusable");
  const load = (): readonly DkimKey[] => {
    let failed = 0;
    const keys = settingsKeys(config.dkim, (text) => {
      failed++;
      log("error", "dkim.key_unusable", { text });
    });
    unusable.set(damaged + failed);
    return keys;
  };
  const book = await openBook(join(config.dataDir, DKIM_FOLDER), (text) => {
    damaged++;
    log("error", "dkim.folder_damaged", { text });
  }).catch((error: unknown) => String(error));
  let named = load();
  if (typeof book === "string") return `data_dir ${config.dataDir}: ${book}`;
  const desk = createDesk({
    book,
    clock,
    random,
    settingsKeys: () => named,
    origin: (domain) => originOf(config, domain),
    openDns: () => openDns({ config, clock, random }),
    signWith,
  });
  alignment.learn(desk.keys());
  return {
    desk,
    covers: alignment.covers,
    configure(next) {
      config = next;
      named = load();
      return signWith(desk.keys());
    },
  };
}

/** Without a cache of its own that outlives the question: whoever checks has just changed something. */
function openDns(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
}): { readonly look: Look; close(): void } {
  const { config, clock, random } = deps;
  const upstream = createUpstream({ clock, random, settings: upstreamSettings(config) });
  const resolver = createResolver({ clock, random, ask: upstream.ask, hosts: new Map() });
  return {
    look: async (type, name) => resolver.lookup(type, name),
    close: upstream.close,
  };
}

/** Addresses that nobody outside can see or reach (RFC 1918, 4193, 6598 and those of one link). */
const privateRanges = parseCidrList(
  "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,127.0.0.0/8," +
    "fc00::/7,fe80::/10,::1/128",
);

/** By the settings of a sender domain where it has some, else by those of the host. */
function originOf(config: Config, domain: string): Origin {
  const { senders, sources } = config;
  const own = senders.find((one) => one.domain === domain);
  const used = sources.filter(({ address }) => own?.source == null || address === own.source);
  const hostname = config.hostname.includes(".") ? config.hostname.toLowerCase() : null;
  const named =
    used.length > 0
      ? used.map(({ address, ehlo }) => ({ address, ehlo: ehlo ?? hostname }))
      : hostAddresses().map((address) => ({ address, ehlo: hostname }));
  return {
    hostname,
    addresses: named.flatMap(({ address, ehlo }) =>
      ehlo === null || !isPublic(address) ? [] : { address, ehlo },
    ),
    relays: relayHosts(own?.relay ?? config.relay),
  };
}

/** A relay on this host or in its network leaves for the world by an address that only its own settings know. */
function relayHosts(relay: string | null): readonly string[] {
  if (relay === null) return [];
  const parsed = parseRelays(relay);
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  return parsed.value
    .map(({ host }) => host)
    .filter((host) => host !== "localhost" && (ipFamily(host) === 0 || isPublic(host)));
}

function hostAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...new Set(all.map((one) => one.address))].filter((address) => ipFamily(address) !== 0);
}

function isPublic(address: string): boolean {
  if (privateRanges.kind === "refused") throw new Error(privateRanges.problems.join("; "));
  return !inRanges(privateRanges.value, address);
}
