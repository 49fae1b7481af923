// What an operator looks at: why mail to a domain is slow, what the DNS says and how it was learned.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import type { CommandAnswer, Order } from "../mail/command.ts";
import { type DnsType, dnsTypes } from "../mail/dns.ts";
import { badField, type Fields, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { answered, carryOut, wireDomain } from "./operate.ts";
import { badParameter, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

export interface LookDeps {
  readonly order: Order;
  readonly explain: (domain: string) => Promise<CommandAnswer>;
  readonly clock: Clock;
}

const NAME_MAX = 255;
/** Domains of one warm-up; a longer list comes in pieces. */
const WARM_MAX = 500;
const WARM_BODY_BYTES = WARM_MAX * (NAME_MAX + 3) + 64;

export function addLooking<E extends object>(app: Hono<E>, deps: LookDeps, keyed: Guard<E>): void {
  app.get(
    "/explain/:domain",
    keyed(async (request, context) => {
      const domain = wireDomain(context.req.param("domain") ?? "");
      if (domain === "") return problem(badField("domain", "It is no domain name."));
      return answered(request, await deps.explain(domain));
    }),
  );
  app.get(
    "/dns/lookup",
    keyed(async (request) => {
      const query = questionOf(new URL(request.url).searchParams);
      if (query.kind === "problem") return query;
      return carryOut(deps.order, request, { do: "dns.lookup", ...query.value });
    }),
  );
  app.post(
    "/dns/flush",
    keyed(async (request) => {
      const fields = await readFields(request, deps.clock, ["name"]);
      if (fields.kind === "problem") return fields;
      const { name = null } = fields.value;
      if (name !== null && !isName(name)) return problem(badField("name", "It is no name."));
      return carryOut(deps.order, request, { do: "dns.flush", name });
    }),
  );
  app.post(
    "/dns/warm",
    keyed(async (request) => {
      const fields = await readFields(request, deps.clock, ["domains"], WARM_BODY_BYTES);
      if (fields.kind === "problem") return fields;
      const domains = domainsOf(fields.value);
      if (domains.kind === "problem") return domains;
      return carryOut(deps.order, request, { do: "dns.warm", domains: domains.value });
    }),
  );
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= NAME_MAX;
}

function questionOf(search: URLSearchParams): Result<{ type: DnsType; name: string }> {
  const strange = strangeParameter(search, ["name", "type"]);
  if (strange !== undefined) return problem(strange);
  const name = search.get("name");
  const type = (search.get("type") ?? "MX").toUpperCase();
  if (!isName(name))
    return problem(badParameter("name", "Say which name is meant: ?name=example.com"));
  if (!(dnsTypes as readonly string[]).includes(type))
    return problem(badParameter("type", `It must be one of ${dnsTypes.join(", ")}.`));
  return ok({ type: type as DnsType, name: wireDomain(name) || name });
}

function domainsOf({ domains }: Fields): Result<readonly string[]> {
  if (!Array.isArray(domains) || domains.length === 0 || domains.length > WARM_MAX)
    return problem(badField("domains", `It must be a list of 1 to ${WARM_MAX} domains.`));
  const names = domains.map((one: unknown) => (isName(one) ? wireDomain(one) : ""));
  const wrong = names.indexOf("");
  if (wrong >= 0) return problem(badField("domains", `Item ${wrong} is no domain name.`));
  return ok(names);
}
