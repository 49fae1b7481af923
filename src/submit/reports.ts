// POST /reports: a bounce or a complaint that came back by mail, as a script at the bounce address hands it on. The reader takes it apart
// and finds its message; only what was found becomes an event. All of them are counted.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";
import type { Order } from "../mail/command.ts";
import { type Finding, REPORT_MAX_BYTES, type ReportView } from "../mail/report.ts";
import { answer, essenceOf, RAW_TYPE } from "./answer.ts";
import { readWhole } from "./chunks.ts";
import type { Guard } from "./guard.ts";
import { answered } from "./operate.ts";
import { badParameter, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";
import { type Ask, readerBusy } from "./read.ts";

export interface ReportDeps {
  readonly ask: Ask;
  readonly order: Order;
  readonly clock: Clock;
  readonly meter: Pick<Meter, "counter">;
}

const ADDRESSES_MAX = 10;
const ADDRESS_MAX = 320;

interface ResultView {
  readonly recipient: string | null;
  readonly email_id: string | null;
  /** `recorded`, or why nothing was. */
  readonly result: string;
  readonly suppressed: boolean;
}

export function addReports<E extends object>(
  app: Hono<E>,
  deps: ReportDeps,
  keyed: Guard<E>,
): void {
  app.post(
    "/reports",
    keyed(async (request) => {
      const search = new URL(request.url).searchParams;
      const strange = strangeParameter(search, ["to"], ["to"]);
      if (strange !== undefined) return problem(strange);
      // A plus that a script does not escape is a blank in a query, and in no address that a bounce comes back to.
      const to = search.getAll("to").map((one) => one.replaceAll(" ", "+"));
      if (to.length > ADDRESSES_MAX || to.some((one) => one.length > ADDRESS_MAX))
        return problem(
          badParameter("to", `It may stand ${ADDRESSES_MAX} times, and be an address.`),
        );
      if (essenceOf(request.headers.get("content-type")) !== RAW_TYPE)
        return problem({
          name: "unsupported_media_type",
          detail: `A report is sent as ${RAW_TYPE}, as it came by mail.`,
        });
      const bytes = await readWhole(request, REPORT_MAX_BYTES, deps.clock);
      if (bytes.kind === "problem") return bytes;
      const said = await deps.ask({ ask: "report", bytes: new Uint8Array(bytes.value), to });
      if (said.kind !== "found") return problem(readerBusy);
      return record(request, deps, said.view as ReportView);
    }),
  );
}

async function record(
  request: Request,
  { order, meter }: ReportDeps,
  { kind, findings }: ReportView,
): Promise<Result<Response>> {
  const results: ResultView[] = [];
  for (const finding of findings) {
    const done = await recordOne(order, finding);
    if ("problem" in done) return answered(request, done.problem);
    meter.counter("postrider_reports_total", { kind, result: done.result }).add();
    results.push(done);
  }
  return ok(answer(request, 200, { object: "report", kind, results }));
}

type Problematic = { readonly problem: Awaited<ReturnType<Order>> };

async function recordOne(order: Order, finding: Finding): Promise<ResultView | Problematic> {
  if (finding.outcome !== "matched")
    return {
      ...{ recipient: finding.recipient, email_id: null },
      ...{ result: finding.outcome, suppressed: false },
    };
  const { email_id, recipient, ...about } = finding.about;
  const said = await order({ do: "suppress.report", ...about });
  if (said.kind === "missing")
    return { recipient, email_id, result: "unmatched", suppressed: false };
  if (said.kind !== "done") return { problem: said };
  const { result, suppressed } = said.value as Pick<ResultView, "result" | "suppressed">;
  return { recipient, email_id, result, suppressed };
}
