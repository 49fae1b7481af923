// The commands of the DNS.
import type { Clock } from "../../base/clock.ts";
import { type DnsCommand, done } from "../../mail/command.ts";
import type { DnsControl } from "../../mail/dns.ts";
import type { Handlers } from "./handle.ts";

/** A list that is not done by then is answered as far as it has come, before the asker gives up. */
const WARM_MS = 20_000;

export function dnsHandlers(dns: DnsControl, clock: Pick<Clock, "after">): Handlers<DnsCommand> {
  return {
    "dns.lookup": async ({ type, name }) => done(await dns.lookup(type, name)),
    "dns.flush": ({ name }) => done({ object: "dns", forgotten: dns.flush(name ?? undefined) }),
    async "dns.warm"({ domains }) {
      const late = new AbortController();
      const timer = clock.after(WARM_MS, () => late.abort());
      const warmth = await dns.warm(domains, undefined, late.signal);
      timer.cancel();
      return done({ object: "dns", ...warmth });
    },
  };
}
