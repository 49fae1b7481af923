// Requests to addresses that others chose, for the rooms of the door: names are looked up by the queue thread's DNS, whose cache and whose
// view of the world they share.
import { type Cidr, parseCidrList } from "../base/cidr.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config.ts";
import type { Order } from "../mail/command.ts";
import type { DnsLookup } from "../mail/dns.ts";
import { IN_FLIGHT_MAX } from "../report/webhookEndpoint.ts";
import { PLACES_MAX } from "../report/webhooks.ts";
import { createTrust } from "../route/trust.ts";
import { createWebClient, type Resolve, type WebClient } from "../web/client.ts";
import { poolDefaults } from "../web/pool.ts";
import { authoritiesOf } from "./settings.ts";

export interface Web {
  readonly webhooks: WebClient;
  /** Public addresses only. */
  readonly attachments: WebClient;
  /** Ranges that are open to webhooks, as they are now. */
  opened(): readonly Cidr[];
  configure(next: Config): void;
  close(): void;
}

const FETCHES_MAX = 32;

export function createWeb(config: Config, order: Order, log: Log): Web {
  const trust = createTrust(authoritiesOf(config, log));
  const resolve = resolveBy(order);
  let opened = openedBy(config);
  const deps = { clock: systemClock, context: trust.context, resolve };
  const webhooks = createWebClient({
    ...deps,
    opened: () => opened,
    requestsMax: PLACES_MAX,
    // A busy receiver keeps all its connections.
    pool: { ...poolDefaults, idleMax: PLACES_MAX, idlePerOriginMax: IN_FLIGHT_MAX },
  });
  const attachments = createWebClient({ ...deps, opened: () => [], requestsMax: FETCHES_MAX });
  return {
    webhooks,
    attachments,
    opened: () => opened,
    configure(next) {
      opened = openedBy(next);
      trust.configure(authoritiesOf(next, log));
    },
    close() {
      webhooks.close();
      attachments.close();
    },
  };
}

function openedBy({ webhookAllow }: Config): readonly Cidr[] {
  const parsed = parseCidrList(webhookAllow.join(","));
  // Config has checked them.
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  return parsed.value;
}

/** Both families in turn, best first. */
export function resolveBy(order: Order): Resolve {
  return async (host) => {
    const [v6, v4] = await Promise.all([look(order, "AAAA", host), look(order, "A", host)]);
    const addresses: string[] = [];
    for (let i = 0; i < Math.max(v6.records.length, v4.records.length); i++)
      addresses.push(...v6.records.slice(i, i + 1), ...v4.records.slice(i, i + 1));
    if (addresses.length > 0) return { kind: "found", addresses };
    const unknown = [v4, v6].find(({ result }) => result === "unknown");
    if (unknown !== undefined) return { kind: "unknown", why: `the DNS says ${unknown.why}` };
    return { kind: "none", why: "the name has no address" };
  };
}

type Found = Pick<DnsLookup, "result" | "why" | "records">;

async function look(order: Order, type: "A" | "AAAA", name: string): Promise<Found> {
  const answer = await order({ do: "dns.lookup", type, name });
  if (answer.kind === "done") return answer.value as DnsLookup;
  return { result: "unknown", why: "nothing yet", records: [] };
}
