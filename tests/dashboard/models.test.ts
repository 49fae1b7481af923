// What the dashboard makes of the API's answers before it shows them.
import { describe, expect, test } from "bun:test";
import type { FigurePoint } from "../../src/mail/figures.ts";
import { bannersOf } from "../../src/ui/model/banners.ts";
import { dialogueRows, dialogueText } from "../../src/ui/model/dialogue.ts";
import { columns, decades, joined, lonely, roundTop } from "../../src/ui/model/history.ts";
import { doableTo, recipientsText, roadsOf } from "../../src/ui/model/message.ts";
import { ageRows, oldestSeconds } from "../../src/ui/model/queue.ts";
import { concurrencyText, heldUp, isPaused, siteName } from "../../src/ui/model/sites.ts";
import { timelineOf, waitText } from "../../src/ui/model/timeline.ts";
import { faultOf } from "../../src/ui/problem.ts";
import { events } from "../ui/scenes/events.ts";
import { calmFigures, figures } from "../ui/scenes/figures.ts";
import { email } from "../ui/scenes/messages.ts";
import { sites } from "../ui/scenes/sites.ts";

describe("the timeline", () => {
  const lines = timelineOf(events, email.created_at);

  test("an attempt and what came of it are one line, with what was said", () => {
    expect(lines.map(({ title, recipient }) => [title, recipient])).toEqual([
      ["Accepted", ""],
      ["Delivered at attempt 1", "bert@example.net"],
      ["Deferred at attempt 1", "ann@example.org"],
      ["Deferred at attempt 2", "ann@example.org"],
    ]);
    expect(lines.map(({ conversations }) => conversations.length)).toEqual([0, 0, 1, 1]);
    expect(lines.map(({ isSilent }) => isSilent)).toEqual([false, true, false, false]);
  });

  test("a wait that one would ask about is told, from the end of one attempt to the next", () => {
    expect(lines.map(({ waitedMs }) => waitedMs)).toEqual([null, null, null, 304_810]);
    expect(waitText(304_810)).toBe("waited 5 m 4 s");
    expect(lines[3]?.waits).toEqual([
      "13:35:40 to 13:39:30: the site was at rest: it greylists us",
    ]);
  });

  test("the remote's own words stand with its code", () => {
    expect(lines[2]?.text).toBe("451 4.7.1 Greylisted, try again in 5 minutes");
    const facts = Object.fromEntries(lines[3]?.facts ?? []);
    expect(facts).toMatchObject({
      ...{ to: "mx1.example.org [192.0.2.25]", from: "198.51.100.7", "decided at": "RCPT TO" },
      "next attempt": "2026-11-23 13:48:31 UTC",
    });
  });

  test("an attempt that is still without its outcome is told too", () => {
    const last = timelineOf(events.slice(0, -1), email.created_at).at(-1);
    expect([last?.title, last?.conversations.length]).toEqual(["Attempt 2", 1]);
  });
});

describe("a dialogue", () => {
  const exchange = { phase: "rcpt", sent_ms: 3, took_ms: 5, sent: "RCPT TO:<a@b.c>", reply: "Ok" };
  const told = (exchanges: readonly object[]) =>
    dialogueRows({
      ...{ session: "s", host: "mx", address: "192.0.2.1", source: null, at: "", reused: false },
      ...{ dropped: 0, exchanges: exchanges.map((one) => ({ ...exchange, code: 250, ...one })) },
    });

  test("its slowest answer is marked, unless all are quick", () => {
    const slow = told([{}, { took_ms: 900 }, { took_ms: 120 }]);
    expect(slow.map(({ isSlowest }) => isSlowest)).toEqual([false, true, false]);
    expect(told([{}, { took_ms: 20 }]).some(({ isSlowest }) => isSlowest)).toBe(false);
  });

  test("a connection that was made is no reply that was lost", () => {
    const lost = told([
      { code: null, phase: "connect", reply: "connected to 192.0.2.1" },
      { code: null, phase: "tls", reply: "TLSv1.3 TLS_AES_256_GCM_SHA384, verified" },
      { code: null, reply: "timeout: no reply to RCPT in 300 s" },
      { code: null, reply: "no answer" },
      { code: 550 },
      { code: 451 },
    ]);
    expect(lost.map(({ isLost }) => isLost)).toEqual([false, false, true, true, false, false]);
    expect(lost.map(({ tone }) => tone)).toEqual(["quiet", "quiet", "bad", "bad", "bad", "wait"]);
  });

  test("is text that can be pasted into a ticket", () => {
    const [conversation] = events[3]?.data.postrider.smtp ?? [];
    if (conversation === undefined) throw new Error("the scene has a dialogue");
    const text = dialogueText(conversation);
    expect(text).toStartWith("# 2026-11-23T13:34:40.700Z mx1.example.org [192.0.2.25] from ");
    expect(text).toContain("180 ms  C: RCPT TO:<ann@example.org>\n+4102 ms  S: 451 4.7.1 Grey");
  });
});

describe("the history", () => {
  const [first] = figures.history;
  if (first === undefined) throw new Error("the scene has a history");
  const point = (id: number): FigurePoint => {
    return { ...first, id, at: new Date(id * 2000).toISOString(), queued: id };
  };

  test("each point is there once, in its order, and no more than are kept", () => {
    const before = [1, 2, 3].map(point);
    expect(joined(before, [3, 4].map(point), 3).map(({ id }) => id)).toEqual([2, 3, 4]);
    expect(joined(before, [], 2).map(({ id }) => id)).toEqual([2, 3]);
  });

  test("after a restart of the daemon that counts anew, what it says holds", () => {
    const old = [{ ...point(900), at: new Date(2000).toISOString() }];
    expect(joined(old, [point(5)], 10).map(({ id }) => id)).toEqual([5]);
  });

  test("a time in which nobody looked is a hole and no slope", () => {
    expect(columns([1, 2, 9].map(point), ["queued"])).toEqual([
      [2, 4, 6, 18],
      [1, 2, null, 9],
    ]);
  });

  test("a value with nothing beside it is drawn as a dot", () => {
    expect(lonely([1, null, 2, 3, null, 4])).toEqual([0, 5]);
    expect(lonely([])).toEqual([]);
  });

  test("axes end at figures that one knows", () => {
    expect([0, 0.3, 1, 19, 190, 1043, 2000].map(roundTop)).toEqual([1, 1, 2, 20, 200, 2000, 5000]);
    expect([decades(2.1, 8200), decades(5, 5), decades(0, 0)]).toEqual([
      [1, 10_000],
      [1, 10],
      [0.1, 1],
    ]);
  });
});

describe("banners", () => {
  test("the worst stands first, and what an operator stopped can be let go", () => {
    const banners = bannersOf(figures);
    expect(banners.map(({ level }) => level)).toEqual(["bad", "warn", "note"]);
    expect(banners[2]?.resume).toEqual({ site: "mx.slow.example" });
    expect(bannersOf(calmFigures)).toEqual([]);
  });

  test("that no mail is taken is told once, by the alert or without it", () => {
    const refusing = { why: "disk_low", retry_after_seconds: 30 };
    const health = { ...calmFigures.health, refusing };
    expect(bannersOf({ health }).map(({ text }) => text)).toEqual([
      "No mail is taken at the moment: disk low.",
    ]);
    const alert = { ...figures.health.alerts[0], code: "disk_low" } as never;
    expect(bannersOf({ health: { ...health, alerts: [alert] } })).toHaveLength(1);
  });

  test("a pause of everything weighs more than one of a part", () => {
    const paused = [
      { kind: "domain", name: "example.org", since: figures.started_at },
      { kind: "all", name: "", since: figures.started_at },
    ] as const;
    const banners = bannersOf({ health: { ...calmFigures.health, paused } });
    expect(banners.map(({ level, resume }) => [level, resume])).toEqual([
      ["warn", { all: true }],
      ["note", { domain: "example.org" }],
    ]);
  });
});

describe("the queue and its sites", () => {
  test("ages are named by their bounds", () => {
    const rows = ageRows(figures.queue.ages);
    expect([rows[0]?.label, rows[3]?.label, rows.at(-1)?.label]).toEqual([
      "up to 1 m",
      "15 m to 1 h",
      "over 3 d",
    ]);
    expect(Math.max(...rows.map(({ share }) => share))).toBe(1);
    expect(ageRows(calmFigures.queue.ages).every(({ share }) => share === 0)).toBe(true);
    expect([oldestSeconds(figures.queue), oldestSeconds(calmFigures.queue)]).toEqual([
      45_900,
      null,
    ]);
  });

  test("what nothing holds up is not held up", () => {
    expect(heldUp(sites).map(({ site }) => site)).toEqual([
      "google.com",
      "mx.slow.example",
      "outlook.com",
    ]);
  });

  test("mail that waits for its own time is not held up", () => {
    const [slow] = sites;
    if (slow === undefined) throw new Error("the scene has sites");
    expect(heldUp([{ ...slow, site: "", cause: "scheduled" }])).toEqual([]);
    expect(heldUp([{ ...slow, site: "", cause: "no_route" }])).toHaveLength(1);
  });

  test("only an operator's pause is one to resume", () => {
    expect(sites.map(isPaused)).toEqual([false, true, false, false]);
    expect(sites.map(concurrencyText)).toEqual([
      "10 of 10, at most 10",
      "0 of 2, at most 10",
      "1 of 1, at most 20",
      "1 of 2, at most 10",
    ]);
    expect([siteName(""), siteName("domain:a.test")]).toEqual(["(no route yet)", "a.test"]);
  });
});

describe("a message", () => {
  const doable = (...states: readonly string[]) =>
    doableTo({
      recipients: states.map((state) => ({ ...email.recipients[0], state, attempts: 0 })) as never,
      scheduled_at: "2026-01-02T00:00:00.000Z",
    });

  test("what can be done to it follows from its states", () => {
    expect(doable("deferred", "delivered")).toEqual({
      ...{ cancel: true, retry: "hasten", hold: true, release: false, reschedule: false },
      isOpen: true,
    });
    expect(doable("bounced")).toMatchObject({ cancel: false, retry: "requeue", isOpen: false });
    expect(doable("scheduled")).toMatchObject({ reschedule: true, retry: null, hold: true });
    const held = { release: true, hold: false, cancel: true, reschedule: true };
    expect(doable("held", "delivered")).toMatchObject(held);
    expect(doable("held", "queued")).toMatchObject({ reschedule: false });
    expect(doable("delivered")).toMatchObject({ cancel: false, retry: null, hold: false });
  });

  test("why it waits is asked for each domain where it waits, and for few of them", () => {
    const to = (address: string, state: string) => ({ ...email.recipients[0], address, state });
    const recipients = [
      ...[to("a@one.test", "queued"), to("b@one.test", "deferred"), to("c@two.test", "delivered")],
      ...["3", "4", "5"].map((n) => to(`d@${n}.test`, "deferred")),
      to("e@six.test", "held"),
    ];
    expect(roadsOf({ recipients } as never)).toEqual({
      ...{ held: 1, scheduled: 0, domains: ["one.test", "3.test", "4.test"], more: 1 },
      nextAt: email.recipients[0]?.next_attempt_at ?? null,
    });
  });

  test("many recipients are told by the first and their number", () => {
    expect(recipientsText(["a@b.c", "d@e.f", "g@h.i"])).toBe("a@b.c and 2 more");
    expect(recipientsText([])).toBe("nobody");
  });
});

describe("a fault", () => {
  test("is the API's own sentence, with its fields", () => {
    const body = {
      ...{ name: "validation_error", title: "Validation failed", detail: "Give one of them." },
      ...{ request_id: "req_1", errors: [{ pointer: "/site", detail: "It must be a string." }] },
    };
    expect(faultOf(422, body, "5")).toEqual({
      ...{ status: 422, name: "validation_error", title: "Validation failed" },
      ...{ detail: "Give one of them.", retryAfterS: 5, requestId: "req_1" },
      fields: [{ pointer: "/site", detail: "It must be a string." }],
    });
  });

  test("of something that is no problem document is one all the same", () => {
    for (const body of [undefined, null, "<h1>Bad Gateway</h1>", [], { errors: [null, 5] }])
      expect(faultOf(502, body, null)).toMatchObject({ title: "Status 502", fields: [] });
    expect(faultOf(503, {}, "Mon, 23 Nov 2026 13:45:00 GMT").retryAfterS).toBeNull();
  });
});
