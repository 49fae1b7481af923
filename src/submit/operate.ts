// What an operator does by HTTP: one message is canceled, retried or moved in time; a message, a domain, a site or everything is paused,
// resumed, flushed, held or released. The queue does it; here are the shapes.
import { domainToASCII } from "node:url";
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Command, CommandAnswer, Order, Span, Which } from "../mail/command.ts";
import { type HostTag, idOf, type MessageId } from "../mail/id.ts";
import { answer } from "./answer.ts";
import { badField, type Fields, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { INSTANT_FORM, readWhen, whenReady } from "./schedule.ts";

export interface OperateDeps {
  readonly order: Order;
  /** Reads the settings anew. */
  readonly reload: () => Promise<CommandAnswer>;
  readonly tag: HostTag;
  readonly clock: Clock;
}

const BUSY_RETRY_S = 5;

export function addOperating<E extends object>(
  app: Hono<E>,
  deps: OperateDeps,
  keyed: Guard<E>,
): void {
  const ofMessage = (make: (request: Request, message: MessageId) => Promise<Result<Command>>) =>
    keyed(async (request, context) => {
      const message = idOf(context.req.param("id") ?? "", deps.tag);
      if (message === undefined) return problem(noSuchEmail);
      const command = await make(request, message);
      return command.kind === "problem" ? command : carryOut(deps.order, request, command.value);
    });
  const plain = (name: "queue.cancel" | "queue.retry") =>
    ofMessage(async (request, message) => {
      const fields = await readFields(request, deps.clock, []);
      return fields.kind === "problem" ? fields : ok({ do: name, message });
    });
  app.post("/emails/:id/cancel", plain("queue.cancel"));
  app.post("/emails/:id/retry", plain("queue.retry"));
  app.patch(
    "/emails/:id",
    ofMessage(async (request, message) => {
      const fields = await readFields(request, deps.clock, ["scheduled_at"]);
      return fields.kind === "problem" ? fields : rescheduled(fields.value, message, deps.clock);
    }),
  );
  app.post(
    "/reload",
    keyed(async (request) => answered(request, await deps.reload())),
  );
  for (const verb of ["pause", "resume", "flush", "hold", "release"] as const)
    app.post(
      `/queue/${verb}`,
      keyed(async (request) => {
        const fields = await readFields(request, deps.clock, ["domain", "site", "id", "all"]);
        if (fields.kind === "problem") return fields;
        const which = whichOf(fields.value, deps.tag);
        if (which.kind === "problem") return which;
        const command = commandOf(verb, which.value);
        return command.kind === "problem" ? command : carryOut(deps.order, request, command.value);
      }),
    );
}

function commandOf(
  verb: "pause" | "resume" | "flush" | "hold" | "release",
  which: Which,
): Result<Command> {
  if (verb !== "pause" && verb !== "resume") return ok({ do: `queue.${verb}`, which });
  if (which.by === "message")
    return problem(badField("id", "A message is held, not paused: use /queue/hold."));
  return ok({ do: `queue.${verb}`, span: which satisfies Span });
}

async function rescheduled(
  fields: Fields,
  message: MessageId,
  clock: Clock,
): Promise<Result<Command>> {
  const text = fields["scheduled_at"];
  if (typeof text !== "string") return problem(badField("scheduled_at", INSTANT_FORM));
  await whenReady(fields);
  const now = clock.now();
  const when = readWhen(text, now);
  if (when.kind === "fault") return problem(badField("scheduled_at", when.why));
  // Its Date is that of its release, and its life begins there: neither lies back.
  return ok({ do: "queue.reschedule", message, dueAt: Math.max(now, when.at) });
}

const NAME_MAX = 1024;

/** Exactly one of the fields; nothing at all must not mean everything. */
function whichOf(fields: Fields, tag: HostTag): Result<Which> {
  const given = Object.keys(fields);
  if (given.length !== 1)
    return problem(badField("", 'Give one of "domain", "site", "id" or "all": true.'));
  const [field = ""] = given;
  const value = fields[field];
  if (field === "all")
    return value === true ? ok({ by: "all" }) : problem(badField("all", "It can only be true."));
  if (typeof value !== "string" || value === "" || value.length > NAME_MAX)
    return problem(badField(field, "It must be a string."));
  if (field === "site") return ok({ by: "site", name: value });
  if (field === "id") {
    const message = idOf(value, tag);
    return message === undefined ? problem(noSuchEmail) : ok({ by: "message", message });
  }
  const name = wireDomain(value);
  return name === ""
    ? problem(badField("domain", "It is no domain name."))
    : ok({ by: "domain", name });
}

/** As addresses have it on the wire, without the last dot that zone files write; empty when it is no domain. */
export function wireDomain(text: string): string {
  const lower = text.toLowerCase();
  return lower.startsWith("[") ? lower : domainToASCII(lower).replace(/\.$/, "");
}

export async function carryOut(
  order: Order,
  request: Request,
  command: Command,
): Promise<Result<Response>> {
  return answered(request, await order(command));
}

export function answered(request: Request, said: CommandAnswer): Result<Response> {
  switch (said.kind) {
    case "done":
      return ok(answer(request, 200, said.value));
    case "missing":
      return problem({ name: "not_found", detail: said.detail });
    case "conflict":
      return problem({ name: said.name, detail: said.detail });
    case "invalid":
      return problem(badField(said.field, said.detail));
    case "later":
      return problem({ name: said.why, detail: laters[said.why], retryAfterS: BUSY_RETRY_S });
    default:
      return unreachable(said);
  }
}

const laters = {
  disk_low: "The disk is nearly full: nothing was changed, or not all of it. Try again later.",
  draining: "The daemon is stopping. Try again later.",
  busy: "It is not done yet, or there is too much to do. It may still happen; ask again.",
} as const;

const noSuchEmail: Problem = {
  name: "not_found",
  detail: "There is no message with this id: it never was, or its history has been cleared.",
};
