// A request's traceparent goes on with its message, whatever form the message has, and by which way it came is told.
import { expect, test } from "bun:test";
import type { Accept, Way } from "../../src/mail/submission.ts";
import { createFixture, message } from "./doorFixture.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const RAW = `From: a@s.example\r\nTo: b@c.example\r\nSubject: Hi\r\n\r\nHello\r\n`;

/** The traces of what was accepted, and the ways. */
async function sent(
  path: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<{ traces: (string | undefined)[]; ways: (Way | undefined)[]; status: number }> {
  const traces: (string | undefined)[] = [];
  const ways: (Way | undefined)[] = [];
  const accept: Accept = async (messages, _, way) => {
    traces.push(...messages.map(({ head }) => head.trace));
    ways.push(way);
    return { kind: "accepted" };
  };
  const fixture = createFixture({ accept });
  try {
    const { status } = await fixture.post(path, body, headers);
    return { traces, ways, status };
  } finally {
    fixture.close();
  }
}

test.each<[string, string, unknown, Record<string, string>]>([
  ["POST /send", "/send", message, {}],
  ["POST /send with a key", "/send", message, { "idempotency-key": "one" }],
  ["raw mail", "/send", new TextEncoder().encode(RAW), { "content-type": "message/rfc822" }],
  ["POST /emails", "/emails", message, {}],
  ["a batch", "/send/batch", [message, message], {}],
  ["a batch of Resend's", "/emails/batch", [message, message], {}],
])("%s goes on with the trace of its request", async (_, path, body, headers) => {
  const { traces, ways, status } = await sent(path, body, { ...headers, traceparent: TRACE });
  expect(status).toBeLessThan(300);
  expect(new Set(traces)).toEqual(new Set([TRACE]));
  expect(ways).toEqual([`POST ${path}` as Way]);
});

test("the tracestate goes with it", async () => {
  const { traces } = await sent("/send", message, { traceparent: TRACE, tracestate: "a=1" });
  expect(traces).toEqual([`${TRACE} a=1`]);
});

test.each(["", "00-zz", TRACE.toUpperCase(), TRACE.replace("00-", "ff-"), `${TRACE}-more`])(
  "a traceparent that is none is no fault, and no trace: %j",
  async (traceparent) => {
    const { traces, status } = await sent("/send", message, { traceparent, tracestate: "a=1" });
    expect([status, traces]).toEqual([202, [undefined]]);
  },
);

test("without one a message has no trace but its own", async () => {
  expect((await sent("/send", message, {})).traces).toEqual([undefined]);
});
