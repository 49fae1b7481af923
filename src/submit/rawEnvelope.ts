// The envelope of raw mail, where the query of the address says it: `?from=&to=&to=`, and what RFC 3461 asks of servers on the way.
import { type Address, parseAddress } from "../mail/address.ts";
import type { Parsed } from "../mail/compose/headerText.ts";
import type { DsnRequest } from "../mail/message.ts";
import { faultsOf } from "./faults.ts";
import { type Fault, type Result, ok, problem, problemOf } from "./problem.ts";
import { dsnField } from "./schema.ts";

/** What the query says; null where the header of the message has to. */
export interface Envelope {
  readonly from: string | null;
  readonly to: readonly Address[] | null;
  readonly dsn: DsnRequest | undefined;
}

export function readEnvelope(request: Request, recipientsMax: number): Result<Envelope> {
  const at = request.url.indexOf("?");
  if (at < 0) return ok({ from: null, to: null, dsn: undefined });
  // Only here is the query parsed: other sends have none.
  const search = new URLSearchParams(request.url.slice(at));
  const faults: Fault[] = [];
  const add = (pointer: string, code: Fault["code"], detail: string): void =>
    void faults.push({ pointer, code, detail });
  for (const name of new Set(search.keys()))
    if (!parameters.has(name))
      add(`?${name}`, "unknown_field", `The parameter ${JSON.stringify(name)} is not known.`);
  const [sender, second] = search.getAll("from");
  if (second !== undefined) add("?from", "too_many", "from is given more than once.");
  const from = sender === undefined || sender === "" ? null : parseAddress(sender);
  if (from?.kind === "refused") add("?from", "invalid_address", from.why);
  const given = search.getAll("to");
  if (given.length > recipientsMax)
    add("?to", "too_many", `to is given more than ${recipientsMax} times.`);
  const to = given.slice(0, recipientsMax).map(parseAddress);
  for (const one of to) if (one.kind === "refused") add("?to", "invalid_address", one.why);
  const dsn = readDsn(search, add);
  if (faults.length > 0) return problem(problemOf(faults));
  return ok({
    dsn,
    // An empty one is the null reverse-path.
    from: sender === "" ? "" : valueOf(from),
    to: to.length === 0 ? null : [...new Set(to.flatMap((one) => valueOf(one) ?? []))],
  });
}

const parameters = new Set(["from", "to", "notify", "ret", "envid"]);

/** `?notify=success,failure&ret=headers&envid=order-17`, as the field `dsn` of JSON. */
function readDsn(
  search: URLSearchParams,
  add: (pointer: string, code: Fault["code"], detail: string) => void,
): DsnRequest | undefined {
  for (const name of ["notify", "ret", "envid"])
    if (search.getAll(name).length > 1)
      add(`?${name}`, "too_many", `${name} is given more than once.`);
  const given = {
    notify: search.get("notify")?.split(","),
    ret: search.get("ret") ?? undefined,
    envid: search.get("envid") ?? undefined,
  };
  if (Object.values(given).every((one) => one === undefined)) return undefined;
  const parsed = dsnField.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const { pointer, code, detail } of faultsOf(parsed.error.issues, given, []))
    add(`?${pointer.split("/")[1]}`, code, detail);
  return undefined;
}

function valueOf<T>(parsed: Parsed<T> | null): T | null {
  return parsed?.kind === "ok" ? parsed.value : null;
}
