// What stands for an address on the command line, in a header and in SMTP: with this host's name where it has none, and by its aliases.
import { parseAddress, parseMailboxes } from "../../mail/address.ts";
import { expandAliases } from "./aliases.ts";
import { isBare, qualify } from "./header.ts";
import type { Places } from "./places.ts";

/** What an alias stands for is checked like everything else; what is no address there leaves its name as it is. */
export function expanded(addresses: readonly string[], places: Places): readonly string[] {
  const { hostname: domain, aliases } = places;
  const found = expandAliases(addresses, { domain, aliases });
  return found.flatMap((one) => addressed(one, domain) ?? []);
}

/** In wire form; with this host's name where it has none. Undefined when it is no address. */
export function addressed(text: string, domain: string): string | undefined {
  if (text === "") return "";
  const bare = /^<(.*)>$/.exec(text)?.[1] ?? text;
  const parsed = parseAddress(isBare(bare) ? `${bare}@${domain}` : bare);
  return parsed.kind === "ok" ? parsed.value : undefined;
}

/** Of one argument, which old programs write as a header does: several with commas, or with a name. Undefined: it names nobody. */
export function named(argument: string, domain: string): readonly string[] | undefined {
  const list = parseMailboxes(qualify(argument, domain), "header");
  if (list.kind === "refused" || list.value.length === 0) return undefined;
  return list.value.map(({ address }) => address);
}
