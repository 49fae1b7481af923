// A request that belongs to a trace: its message goes on with it. Whoever sends none pays for one header that is not there.
import { packTraceContext, readTraceContext } from "../mail/traceContext.ts";
import type { Prepared } from "./draft.ts";

export function withTrace({ headers }: Request, prepared: Prepared): Prepared {
  const traceparent = headers.get("traceparent");
  if (traceparent === null) return prepared;
  const context = readTraceContext(traceparent, headers.get("tracestate"));
  if (context === undefined) return prepared;
  const { submission } = prepared;
  const head = { ...submission.head, trace: packTraceContext(context) };
  return { ...prepared, submission: { ...submission, head } };
}
