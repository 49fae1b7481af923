// Whether the mail of a load would leave the host, as far as the daemon can tell. Where it cannot, it would.
import type { ExplainView } from "../mail/explain.ts";

export type Whereabouts =
  | { readonly kind: "here"; readonly note: string | null }
  | { readonly kind: "leaves"; readonly why: string };

/** `hasOwnFrom`: a sender whose domain may have a relay of its own, of which the domain's route tells nothing. */
export function whereabouts(view: ExplainView, hasOwnFrom: boolean): Whereabouts {
  const { route, hosts, domain } = view;
  // What the DNS denies now it may give before the load is over.
  if (route.result !== "route")
    return leaves(`there is no way to ${domain} yet (${route.text}), and it may lead elsewhere`);
  if (route.via === "sink") return { kind: "here", note: null };
  const addresses = hosts.flatMap((host) => host.addresses);
  const away = addresses.find((address) => !isLoopback(address));
  const names = hosts.map(({ name }) => name).join(", ");
  if (away !== undefined || addresses.length === 0)
    return leaves(
      `mail to ${domain} goes to ${names || "a host"} (${away ?? "no address"}), which is not this host`,
    );
  if (hasOwnFrom)
    return leaves(
      "the sender of --from may have a relay of its own, which the route does not show",
    );
  const sendsOn = `the relay on this host (${names}) takes it: whether it sends on is its own matter`;
  return { kind: "here", note: route.via === "relay" ? sendsOn : null };
}

const leaves = (why: string): Whereabouts => ({ kind: "leaves", why });

function isLoopback(address: string): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(address);
}
