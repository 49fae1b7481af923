// /domains: whose mail is signed here, the records that go with it, and whether they are there. Reads and changes go to the desk that
// roles hand in; here are only the shapes of HTTP.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { DomainAnswer, Domains } from "../mail/domain.ts";
import { answer } from "./answer.ts";
import { badField, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { pageOf } from "./listPage.ts";
import { badParameter, pageLimits } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

type Handler = (request: Request, id: string) => Promise<Result<Response>>;

const FIELDS = ["name", "selector"];

export function addDomains<E extends object>(
  app: Hono<E>,
  { domains, clock }: { readonly domains: Domains; readonly clock: Clock },
  keyed: Guard<E>,
): void {
  const at = (handler: Handler) =>
    keyed((request, context) => handler(request, context.req.param("id") ?? ""));
  const add: Handler = async (request) => {
    const fields = await readNewDomain(request, clock);
    if (fields.kind === "problem") return fields;
    const { name, selector } = fields.value;
    return shown(request, 201, await domains.add(name, selector));
  };
  const list: Handler = async (request) => {
    // As they stand, and all of them, where nobody asks for fewer.
    const all = [...domains.list()].reverse();
    const limits = { ...pageLimits, usual: all.length };
    const search = new URL(request.url).searchParams;
    // They stand by their names: of one that is gone nobody knows where it stood.
    for (const side of ["after", "before"])
      if (search.has(side) && !all.some(({ id }) => id === search.get(side)))
        return problem(badParameter(side, "There is no domain with this id."));
    const page = pageOf(search, all, "a domain", limits);
    if (page.kind === "problem") return page;
    const { has_more, rows } = page.value;
    return ok(answer(request, 200, { object: "list", has_more, data: rows }));
  };
  const get: Handler = (request, id) => Promise.resolve(shown(request, 200, domains.get(id)));
  const remove: Handler = async (request, id) => {
    const removed = await domains.remove(id);
    if (removed.kind !== "domain") return shown(request, 200, removed);
    const body = { object: "domain", id: removed.view.id, deleted: true };
    return ok(answer(request, 200, body));
  };
  const verify: Handler = async (request, id) => shown(request, 200, await domains.verify(id));
  app.post("/domains", at(add));
  app.get("/domains", at(list));
  app.get("/domains/:id", at(get));
  app.delete("/domains/:id", at(remove));
  app.post("/domains/:id/verify", at(verify));
}

function shown(request: Request, status: number, said: DomainAnswer): Result<Response> {
  switch (said.kind) {
    case "domain":
      return ok(answer(request, status, said.view));
    case "invalid":
      return problem(badField(said.field, said.detail));
    case "conflict":
      return problem({ name: "conflict", detail: said.detail });
    case "missing":
      return problem({ name: "not_found", detail: "There is no such domain." });
    case "failed":
      return problem({ name: "disk_low", detail: `Nothing was changed: ${said.detail}.` });
    default:
      return unreachable(said);
  }
}

interface NewDomain {
  readonly name: string;
  readonly selector: string | null;
}

async function readNewDomain(request: Request, clock: Clock): Promise<Result<NewDomain>> {
  const fields = await readFields(request, clock, FIELDS);
  if (fields.kind === "problem") return fields;
  const { name, selector = null } = fields.value;
  if (typeof name !== "string") return problem(badField("name", "It must be a string."));
  if (selector !== null && typeof selector !== "string")
    return problem(badField("selector", "It must be a string."));
  return ok({ name, selector });
}
