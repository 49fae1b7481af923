import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as conventions from "@opentelemetry/semantic-conventions";
import * as incubating from "@opentelemetry/semantic-conventions/incubating";
import fc from "fast-check";
import type { AttemptTrace } from "../../src/mail/attemptTrace.ts";
import { packStep } from "../../src/mail/timeline.ts";
import type { Acceptance } from "../../src/report/acceptances.ts";
import type { Span } from "../../src/report/span.ts";
import { acceptSpans } from "../../src/report/acceptSpans.ts";
import { attemptSpans, type Before } from "../../src/report/attemptSpans.ts";
import { rootOf, type SpanRules } from "../../src/report/spanRoot.ts";
import {
  attempt,
  CALLER,
  conversation,
  drawn,
  MESSAGE,
  recipient,
  START,
  step,
  TAG,
} from "./spanStage.ts";

const folder = join(import.meta.dir, "..", "golden", "spans");
const rules: SpanRules = { tag: TAG, recipients: "domain" };
const acceptance: Acceptance = {
  ...{ way: "POST /send", receivedAt: START, composedAt: START + 2 },
  ...{ committedAt: START + 10, dueAt: START },
};

interface Known {
  readonly acceptance?: Acceptance;
  readonly before?: Before;
  readonly rules?: SpanRules;
  /** Whether the beginning of the trace is told with it. */
  readonly first?: boolean;
}

function spansOf(given: AttemptTrace, known: Known): Span[] {
  const root = rootOf(given.message, given.trace, TAG);
  const { acceptance: accepted, before, first = true } = known;
  return [
    ...(first ? acceptSpans(given, root, accepted) : []),
    ...attemptSpans(given, root, known.rules ?? rules, { acceptance: accepted, before }),
  ];
}

const opening = [
  ["connect", 0, 12, 0, "connected to 192.0.2.1"],
  ["greeting", 12, 3, 220, "mx.a.example ESMTP"],
  ["ehlo", 15, 2, 250, "mx.a.example | STARTTLS"],
  ["starttls", 17, 1, 220, "go ahead"],
  ["tls", 18, 20, 0, "TLSv1.3 TLS_AES_256_GCM_SHA384, verified"],
  ["ehlo", 38, 1, 250, "mx.a.example"],
] as const;
const tls = {
  ...{ version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", verified: true, resumed: false },
  ...{ handshakeMs: 19, verifyMs: 1, policy: "opportunistic" as const, unproven: "" },
};

const delivered = (): Span[] =>
  spansOf(
    attempt(
      { cameAt: 20, endedAt: 80 },
      [recipient(step(60, { tls, signed: "a.example/s1" }))],
      [
        conversation(22, [
          ...opening,
          ["mail", 40, 1, 250, "ok"],
          ["rcpt", 40, 1, 250, "ok"],
          ["data", 40, 1, 354, "go"],
          ["dot", 42, 9, 250, "queued"],
        ]),
      ],
    ),
    { acceptance },
  );

const greylisted = (): Span[] => {
  const first = attempt(
    { cameAt: 12, endedAt: 30 },
    [
      recipient(
        step(20, {
          ...{ outcome: "deferred", class: "greylist", phase: "rcpt", code: 451 },
          ...{ enhanced: "4.7.1", text: "<ann@a.example>: try again in 300 s" },
        }),
      ),
    ],
    [
      conversation(
        14,
        [
          ["mail", 0, 1, 250, "ok"],
          ["rcpt", 0, 1, 451, "4.7.1 <ann@a.example>: try again in 300 s"],
        ],
        { reused: true },
      ),
    ],
    { why: "error" },
  );
  const second = attempt(
    { cameAt: 305_000, endedAt: 305_020 },
    [recipient(step(305_010), { claim: 8, attempts: 1 })],
    [conversation(305_001, [["dot", 4, 2, 250, "queued"]], { session: "5e551015" })],
    { why: "retry" },
  );
  const before = { attempts: 1, endedAt: START + 30, class: "greylist" };
  return [
    ...spansOf(first, { acceptance }),
    ...spansOf(second, { acceptance, before, first: false }),
  ];
};

const lost = (): Span[] =>
  spansOf(
    attempt(
      { cameAt: 12, endedAt: 700 },
      [
        recipient(
          step(20, {
            ...{ outcome: "deferred", class: "network", phase: "dot", code: 0, doubt: true },
            ...{ enhanced: "", text: "the connection closed before the reply" },
          }),
        ),
      ],
      [conversation(14, [["dot", 2, 650, 0, "closed: the connection closed before the reply"]])],
      { why: "error", trace: CALLER },
    ),
    { acceptance: { ...acceptance, way: "SMTP" } },
  );

const unreached = (): Span[] =>
  spansOf(
    attempt(
      { cameAt: 12, endedAt: 30_100 },
      [
        recipient(
          step(20, {
            ...{ outcome: "deferred", class: "network", phase: "connect", code: 0 },
            ...{ enhanced: "", text: "192.0.2.2 does not answer", source: "" },
          }),
        ),
      ],
      [
        conversation(12, [["connect", 0, 15_000, 0, "network: 192.0.2.1 does not answer"]]),
        conversation(15_012, [["connect", 0, 15_000, 0, "network: 192.0.2.2 does not answer"]], {
          ...{ session: "5e551015", address: "192.0.2.2" },
        }),
      ],
      { why: "error" },
    ),
    { acceptance },
  );

const unrouted = (): Span[] =>
  spansOf(
    attempt(
      { cameAt: 140, endedAt: 140 },
      [
        recipient(
          step(140, {
            ...{ outcome: "failed", class: "dns", phase: "route", code: 0, durationMs: 0 },
            ...{ enhanced: "5.1.2", text: "the domain does not exist", site: "", host: "" },
            ...{ address: "", source: "", session: "" },
          }),
        ),
      ],
      [],
      { why: "error", lookup: { at: START + 40, tookMs: 99.5 } },
    ),
    { acceptance },
  );

const forgotten = (): Span[] =>
  spansOf(
    attempt({ cameAt: 900, endedAt: 950 }, [recipient(step(910), { attempts: 3 })], [], {
      why: "retry",
    }),
    {},
  );

const expired = (): Span[] => {
  const text = "4.4.7 not delivered by the time that its sender set";
  const note = { kind: "note", note: "expired", doubt: false, at: START + 60_000, text } as const;
  const at = { cameAt: 60_000, endedAt: 60_000 };
  const told = [recipient(packStep(note), { claim: 0 })];
  return spansOf(attempt(at, told, [], { why: "error", sizeBytes: 0 }), { acceptance });
};

const several = (): Span[] =>
  spansOf(
    attempt(
      { cameAt: 12, endedAt: 40 },
      [
        recipient(step(20)),
        recipient(
          step(20, {
            ...{ outcome: "failed", class: "mailbox", phase: "rcpt", code: 550 },
            ...{ enhanced: "5.1.1", text: "no bob here" },
          }),
          { n: 1, address: "bob@a.example", claim: 8 },
        ),
      ],
      [conversation(14, [["dot", 2, 3, 250, "queued"]])],
      { why: "error" },
    ),
    { acceptance: { ...acceptance, dueAt: START + 600_000 } },
  );

const trees: Readonly<Record<string, () => Span[]>> = {
  ...{ delivered, greylisted, lost, unreached, unrouted, forgotten, several, expired },
};

for (const file of readdirSync(folder))
  test(`the trace of ${file.replace(".txt", "")} is what its file says`, () => {
    const tree = trees[file.replace(".txt", "")];
    expect(tree === undefined ? "" : drawn(tree())).toBe(readFileSync(join(folder, file), "utf8"));
  });

test("every trace has its file", () => {
  expect(readdirSync(folder).sort()).toEqual(
    Object.keys(trees)
      .map((name) => `${name}.txt`)
      .sort(),
  );
});

test("all spans of a trace share its id, have ids of their own, and end after they begin", () => {
  for (const make of Object.values(trees)) {
    const spans = make();
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    for (const span of spans) expect(span.endAt).toBeGreaterThanOrEqual(span.startAt);
  }
});

test("what is said in an attempt lies within it, however the clocks of the threads differ", () => {
  const ms = fc.integer({ min: 0, max: 400 });
  const line = fc.tuple(
    fc.constantFrom("mail", "rcpt", "dot"),
    ms,
    ms,
    fc.constant(250),
    fc.constant(""),
  );
  fc.assert(
    fc.property(ms, ms, ms, fc.array(line, { maxLength: 6 }), (cameAt, endedAt, at, lines) => {
      const said = [conversation(at, lines)];
      const spans = attemptSpans(
        attempt({ cameAt, endedAt }, [recipient(step(cameAt))], said),
        rootOf(MESSAGE, null, TAG),
        rules,
        { acceptance, before: undefined },
      );
      const deliver = spans.find(({ name }) => name.startsWith("deliver"));
      for (const span of spans.filter(({ parentId }) => parentId === deliver?.spanId)) {
        expect(span.startAt).toBeGreaterThanOrEqual(deliver?.startAt ?? Infinity);
        expect(span.endAt).toBeLessThanOrEqual(deliver?.endAt ?? 0);
      }
    }),
    { numRuns: 200 },
  );
});

test("no address leaves in a span, unless the settings say so", () => {
  const telling = Object.values(trees).map((make) => JSON.stringify(make()));
  for (const text of telling) expect(text).not.toContain("ann@");
  const open = spansOf(attempt({ cameAt: 1, endedAt: 2 }, [recipient(step(1))]), {
    rules: { ...rules, recipients: "address" },
  });
  expect(JSON.stringify(open)).toContain("ann@a.example");
});

test("names of attributes are those of the conventions where these have one", () => {
  const known = new Set<unknown>([
    ...Object.values<unknown>(conventions),
    ...Object.values<unknown>(incubating),
  ]);
  const names = new Set(
    Object.values(trees).flatMap((make) =>
      make().flatMap(({ attributes }) => Object.keys(attributes)),
    ),
  );
  const own = [...names].filter((name) => !/^(?:smtp|postrider)\./.test(name));
  expect(own.length).toBeGreaterThan(15);
  expect(own.filter((name) => !known.has(name))).toEqual([]);
});
