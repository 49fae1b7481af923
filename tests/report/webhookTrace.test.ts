import { expect, test } from "bun:test";
import { uuidOf } from "../../src/mail/id.ts";
import { readTraceContext } from "../../src/mail/traceContext.ts";
import type { Sampling } from "../../src/report/sampling.ts";
import type { Span } from "../../src/report/span.ts";
import { rootOf } from "../../src/report/spanRoot.ts";
import { createHookTracing, type HookDelivery } from "../../src/report/webhookTrace.ts";
import { CALLER, MESSAGE, START, TAG } from "./spanStage.ts";
import { webhook } from "./webhookRig.ts";

function begin(change: Partial<HookDelivery> = {}, sampling: Sampling | null = rare) {
  const spans: Span[] = [];
  const tracing = createHookTracing({
    ...{ tag: TAG, sampling: () => sampling, add: (more) => void spans.push(...more) },
  });
  const email = uuidOf(MESSAGE, TAG);
  const about = { event: 9, type: "email.delivered", email, trace: null, tries: 0, ...change };
  const endpoint = "https://hooks.test:8443/secret/path?token=1";
  const trace = tracing.begin(about, webhook(3, { endpoint }));
  const headers = trace?.headers ?? {};
  return { trace, headers, spans, context: readTraceContext(headers["traceparent"] ?? "") };
}

const rare: Sampling = { share: 0, slowMs: 5_000 };
const all: Sampling = { share: 1, slowMs: 5_000 };
const attempt = { at: START, status: 200, durationMs: 30, text: "ok" };

test("the request names the message's trace, though nothing is exported", () => {
  const { context, trace, spans } = begin({}, null);
  expect(context).toMatchObject({ traceId: uuidOf(MESSAGE, TAG).replaceAll("-", "") });
  expect(context?.sampled).toBe(false);
  trace?.ended({ ...attempt, status: 500 });
  expect(spans).toEqual([]);
});

test("a delivery that is kept is the span that its request names, below the message's first", () => {
  const { context, trace, spans } = begin({}, all);
  trace?.ended(attempt);
  expect(context?.sampled).toBe(true);
  const [span] = spans;
  expect(span).toMatchObject({
    ...{ spanId: context?.parentId ?? "", parentId: rootOf(MESSAGE, null, TAG).spanId },
    ...{ name: "webhook", kind: "client", startAt: START, endAt: START + 30, error: null },
  });
  expect(JSON.stringify(span)).not.toContain("secret");
  expect(JSON.stringify(span)).not.toContain("token");
});

test("a caller's trace goes on, with its tracestate and its decision", () => {
  const { headers, context } = begin({ trace: `${CALLER} a=1` });
  expect(context).toMatchObject({ traceId: CALLER.slice(3, 35), sampled: true });
  expect(headers["tracestate"]).toBe("a=1");
  expect(begin({ trace: CALLER.replace(/01$/, "00") }, all).context?.sampled).toBe(false);
});

test.each(["email.bounced", "email.failed", "email.delivery_delayed"])(
  "the webhook of %s is always kept",
  (type) => {
    const { context, trace, spans } = begin({ type });
    trace?.ended(attempt);
    expect([context?.sampled, spans.length]).toEqual([true, 1]);
  },
);

test("one that fails, is slow, or is a repetition is kept too", () => {
  const failing = begin();
  failing.trace?.ended({ ...attempt, status: 0, text: "refused" });
  expect(failing.spans[0]).toMatchObject({ error: "refused" });
  expect(failing.spans[0]?.attributes["error.type"]).toBe("no_reply");
  const slow = begin();
  slow.trace?.ended({ ...attempt, durationMs: 6_000 });
  expect(slow.spans).toHaveLength(1);
  const again = begin({ tries: 2 });
  again.trace?.ended(attempt);
  expect(again.spans[0]?.attributes["http.request.resend_count"]).toBe(2);
});

test("tries of one event are spans of their own", () => {
  const [first, second] = [begin({ tries: 0 }), begin({ tries: 1 })];
  expect(first.context?.parentId).not.toBe(second.context?.parentId);
});

test("what is about no message of this host has no trace", () => {
  expect(begin({ email: "" }).trace).toBeNull();
  expect(begin({ email: uuidOf(MESSAGE, "8000000000000001") }).trace).toBeNull();
});
