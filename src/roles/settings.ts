// The one translation of settings into what each room calls its own: a room knows nothing of flags and files.
import { readFileSync } from "node:fs";
import { type Cidr, parseCidrList } from "../base/cidr.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config.ts";
import { OWN } from "../config/kinds.ts";
import { certificatesIn } from "../config/tlsCa.ts";
import { type DeliverSettings, deliverDefaults } from "../deliver/settings.ts";
import { type Server, DNS_PORT, isOnThisHost } from "../dns/servers.ts";
import { systemResolvConf } from "../dns/system.ts";
import type { UpstreamSettings } from "../dns/upstream.ts";
import { domainOf, type Priority } from "../mail/message.ts";
import { type QueuePolicy, defaultPolicy } from "../queue/policy.ts";
import type { LaneSchedule } from "../queue/retry.ts";
import type { SourceSettings } from "../queue/sources.ts";
import type { Sampling } from "../report/sampling.ts";
import { nobody, type Own } from "../route/own.ts";
import type { DomainPolicy } from "../route/policy.ts";
import { parseRelays } from "../route/relay.ts";
import { type RouterSettings, defaultRouterSettings } from "../route/router.ts";
import { type Deadlines, rfcDeadlines } from "../smtp/phases.ts";
import type { ClientRules } from "../submit/clients.ts";
import type { DoorLimits } from "../submit/door.ts";
import type { KeySettings } from "../submit/keyBook.ts";
import type { ReturnPathOf } from "../submit/draft.ts";
import type { TlsPair } from "../submit/serve.ts";
import { ownAddresses } from "./ownAddresses.ts";

export function deliverSettings(config: Config): DeliverSettings {
  const { siteConnections } = config;
  return {
    ...deliverDefaults,
    helo: config.hostname,
    // Each sender thread has its own sites, so it gets its share of the whole.
    maxConnections: Math.max(1, Math.floor(config.maxConnections / config.workers)),
    siteConnections: siteConnections ?? deliverDefaults.siteConnections,
    relayConnections: siteConnections ?? deliverDefaults.relayConnections,
    connectRate: config.siteConnectRate,
    messageRate: config.siteRate,
    connectionMessages: config.connectionMessages,
    sites: config.sites,
    connectMs: config.timeoutsMs.connect,
    deadlines: deadlines(config),
    dialogues: config.dialogues,
  };
}

/** Null: traces are not exported. */
export function samplingOf({ otlpEndpoint, traceSample, traceSlowMs }: Config): Sampling | null {
  return otlpEndpoint === null ? null : { share: traceSample, slowMs: traceSlowMs };
}

function deadlines({ timeoutsMs }: Config): Deadlines {
  const { greeting, ehlo, starttls, tls, auth, mail, rcpt, data, block, dot } = timeoutsMs;
  const named = { greeting, ehlo, helo: ehlo, starttls, tls, auth, challenge: auth };
  return { ...rfcDeadlines, ...named, mail, rcpt, data, body: block, dot };
}

export function queuePolicy(config: Config): QueuePolicy {
  return {
    ...defaultPolicy,
    retry: [laneOf(config, 0), laneOf(config, 1), laneOf(config, 2)],
    queueMessagesMax: config.queueMaxMessages,
    queueBytesMax: config.queueMaxBytes,
    diskReserveBytes: config.diskReserveBytes,
    suppressBounces: config.suppressBounces,
    capture: config.capture,
  };
}

function laneOf({ retryStepsMs, lifetimeMs }: Config, priority: Priority): LaneSchedule {
  return { stepsMs: retryStepsMs[priority], lifetimeMs: lifetimeMs[priority] };
}

/** Config has checked the texts that are parsed here; a problem would be a bug. */
export function routerSettings(config: Config): RouterSettings {
  const deny = rangesOf(config.denyDestinations.filter((text) => text !== OWN));
  return {
    ...defaultRouterSettings,
    relays: relaysOf(config.relay),
    senderRelays: senderRelays(config),
    denyDestinations: deny,
    own: config.denyDestinations.includes(OWN) ? ownOf(config) : nobody,
    smtpPort: config.smtpPort,
    tls: config.tlsPolicy,
    mtaSts: config.mtaSts,
    dane: config.dane !== "off",
    capture: config.capture,
    domains: new Map(Object.entries(config.domains).map(([name, own]) => [name, policyOf(own)])),
  };
}

/** The addresses to send from, and whose mail only one of them may carry. */
export function sourceSettings({ sources, senders }: Config): SourceSettings {
  return { sources, bySender: bySenderDomain(senders, ({ source }) => source) };
}

function senderRelays({ senders }: Config): ReadonlyMap<string, RouterSettings["relays"]> {
  return bySenderDomain(senders, ({ relay }) => (relay === null ? null : relaysOf(relay)));
}

/** The queue knows a sender by the reverse-path, so a domain that stands only there is its sender's too. */
function bySenderDomain<T>(
  senders: Config["senders"],
  valueOf: (sender: Config["senders"][number]) => T | null,
): ReadonlyMap<string, T> {
  const found = new Map<string, T>();
  const named = new Set(senders.map(({ domain }) => domain));
  for (const sender of senders) {
    const value = valueOf(sender);
    if (value === null) continue;
    found.set(sender.domain, value);
    const alias = domainOf(sender.returnPath ?? "").toLowerCase();
    if (alias !== "" && !named.has(alias) && !found.has(alias)) found.set(alias, value);
  }
  return found;
}

/** The reverse-path of each sender domain that has one of its own. */
export function returnPaths({ senders }: Pick<Config, "senders">): ReturnPathOf {
  const paths = new Map(senders.map(({ domain, returnPath }) => [domain, returnPath]));
  return (senderDomain, uuid) => paths.get(senderDomain)?.replaceAll("{id}", uuid);
}

function policyOf({ tlsPolicy, mtaSts, dane }: Config["domains"][string]): DomainPolicy {
  return {
    ...(tlsPolicy === undefined ? {} : { tls: tlsPolicy }),
    ...(mtaSts === undefined ? {} : { mtaSts }),
    ...(dane === undefined ? {} : { dane }),
  };
}

/** The authorities of `tls_ca_file`. Config has read the file once; one that is gone since makes servers untrusted, no more. */
export function authoritiesOf({ tlsCaFile }: Config, log: Log): readonly string[] {
  if (tlsCaFile === null) return [];
  try {
    return certificatesIn(readFileSync(tlsCaFile, "utf8"));
  } catch (error) {
    log("error", "tls.ca_file_unreadable", { path: tlsCaFile, text: String(error) });
    return [];
  }
}

function ownOf({ hostname, sources }: Config): Own {
  const greetings = sources.flatMap(({ ehlo }) => (ehlo === null ? [] : [ehlo]));
  const addresses = [...ownAddresses(), ...sources.map(({ address }) => address)];
  return { names: [hostname.toLowerCase(), ...greetings], addresses: rangesOf(addresses) };
}

function rangesOf(texts: readonly string[]): readonly Cidr[] {
  // An empty text is the empty list, and a zone is no part of an address.
  const parsed = parseCidrList(texts.map((text) => text.replace(/%.*$/, "")).join(","));
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  return parsed.value;
}

function relaysOf(relay: string | null): RouterSettings["relays"] {
  if (relay === null) return [];
  const parsed = parseRelays(relay);
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  return parsed.value;
}

export function upstreamSettings(config: Config): UpstreamSettings {
  const own: readonly Server[] = config.dnsServers.map(({ host, port }) => ({
    address: host,
    port: port === 0 ? DNS_PORT : port,
    trusted: isOnThisHost(host),
  }));
  const servers = own.length > 0 ? own : systemResolvConf();
  // The operator vouches for the way to the resolvers.
  const trusted = servers.map((server) => ({ ...server, trusted: true }));
  const { dnsTimeoutMs: timeoutMs } = config;
  return { servers: config.dane === "on" ? trusted : servers, timeoutMs };
}

export function keySettings(config: Config, firstKey: string): KeySettings {
  const { keyRate: rate, keyBurst: burst, admissionWaitMs: waitMs } = config;
  return { firstKey, rate, burst, waitMs };
}

export function clientRules({ trustedProxies, allowClients, denyClients }: Config): ClientRules {
  return {
    trusted: rangesOf(trustedProxies),
    allow: allowClients === null ? null : rangesOf(allowClients),
    deny: rangesOf(denyClients),
  };
}

/** Read when it is asked for: a reload takes what is there by then. A text: it cannot be read, and why. */
export function tlsPairOf({ tlsCert, tlsKey }: Config): TlsPair | null | string {
  if (tlsCert === null || tlsKey === null) return null;
  try {
    return { cert: readFileSync(tlsCert, "utf8"), key: readFileSync(tlsKey, "utf8") };
  } catch (error) {
    return (error as Error).message;
  }
}

export function doorLimits(config: Config): DoorLimits {
  return {
    messageBytes: config.maxMessageBytes,
    recipientsPerField: config.maxRecipients,
    batchMessages: config.maxBatch,
    attachmentUrls: config.attachmentUrls,
  };
}
