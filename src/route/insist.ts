// A route as it is for mail whose sender will have it encrypted or not at all (`require_tls` of the API).
import type { Endpoint, Route, RouteHost } from "./route.ts";

/** Where the mail never meets a network there is nothing to encrypt. */
const UNTOUCHED = "sink";

/**
 * The same route without clear text: what may be unencrypted must be encrypted, and what is stricter stays. It is told as the wish of
 * this mail, so that a host without TLS fails it and not the site. One object for each route, as other parts know routes by identity.
 */
export function createInsist(): (route: Route) => Route {
  const made = new WeakMap<Route, Route>();
  return (route) => {
    if (route.via === UNTOUCHED) return route;
    let strict = made.get(route);
    if (strict === undefined) {
      strict = { ...insisted(route), hosts: route.hosts.map(insistedHost) };
      made.set(route, strict);
    }
    return strict;
  };
}

function insistedHost(host: RouteHost): RouteHost {
  return host.endpoint === undefined ? host : { ...host, endpoint: insisted(host.endpoint) };
}

function insisted<E extends Endpoint>(endpoint: E): E {
  const tls = endpoint.tls === "verify" ? "verify" : "required";
  return { ...endpoint, tls, demand: endpoint.demand ?? { source: "settings" } };
}
