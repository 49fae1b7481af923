// Counts what is answered, by what it was for. Addresses are many and classes few, so that a scanner makes no series.
import type { Counter, Meter } from "../base/meter.ts";
import { httpRoutes, type HttpRoute } from "../mail/metricsDoor.ts";
import type { Door } from "./door.ts";

/** By the first part of the path, and by method where one part serves two. */
const byPart: Readonly<Record<string, HttpRoute>> = {
  "": "page",
  ui: "page",
  docs: "page",
  assets: "page",
  "openapi.json": "page",
  events: "events",
  queue: "queue",
  domains: "manage",
  "api-keys": "manage",
  webhooks: "manage",
  suppressions: "manage",
  reports: "manage",
  reload: "manage",
  "log-level": "manage",
  dns: "look",
  explain: "look",
  trace: "look",
  figures: "look",
  sites: "look",
  journal: "look",
  inbox: "inbox",
  metrics: "metrics",
  livez: "status",
  readyz: "status",
};

export function routeOf({ method, url }: Pick<Request, "method" | "url">): HttpRoute {
  const [, first = "", second = ""] = pathOf(url).split("/", 3);
  if (first !== "send" && first !== "emails")
    return Object.hasOwn(byPart, first) ? (byPart[first] ?? "other") : "other";
  if (second === "batch") return "batch";
  return method === "POST" && second === "" ? "send" : "emails";
}

function pathOf(url: string): string {
  let from = url.indexOf("/", url.indexOf("//") + 2);
  while (from !== -1 && url[from + 1] === "/") from++;
  const [path = ""] = (from === -1 ? "/" : url.slice(from)).split("?", 1);
  return path;
}

export function countRequests<D extends Door>(door: D, meter: Meter): D {
  const series = new Map<HttpRoute, (Counter | undefined)[]>(httpRoutes.map((name) => [name, []]));
  const count = (route: HttpRoute, response: Response): Response => {
    if (!meter.isOn()) return response;
    const digit = Math.floor(response.status / 100);
    const classes = series.get(route) ?? [];
    const counter = (classes[digit] ??= meter.counter("postrider_http_requests_total", {
      ...{ route, status: `${digit}xx` },
    }));
    counter.add();
    return response;
  };
  const sent = (response: Response): Response => count("send", response);
  return {
    ...door,
    send: (request, peer) => door.send(request, peer).then(sent),
    fetch(request, peer) {
      const route = routeOf(request);
      const said = door.fetch(request, peer);
      return said instanceof Promise
        ? said.then((response) => count(route, response))
        : count(route, said);
    },
  };
}
