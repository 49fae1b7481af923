// How the dashboard writes numbers, times and states.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { grouped } from "../../src/base/human.ts";
import {
  age,
  bytes,
  counted,
  dueText,
  fromNow,
  instant,
  milliseconds,
  plainTimes,
  shortCount,
} from "../../src/ui/model/format.ts";
import { countStates, finalStates, phaseInWords, toneOf } from "../../src/ui/model/words.ts";
import { isFinal, recipientStates } from "../../src/mail/state.ts";
import { phases } from "../../src/smtp/phases.ts";

describe("numbers", () => {
  test("are short, and grouped where they are whole", () => {
    expect([0, 0.44, 9.96, 12.4, 999, 1240, 9999, 12_430, 3_140_000].map(shortCount)).toEqual([
      "0",
      "0.4",
      "10",
      "12",
      "999",
      "1,240",
      "9,999",
      "12.4k",
      "3.1M",
    ]);
    expect([0, 999, 1000, 48_211_903].map(grouped)).toEqual(["0", "999", "1,000", "48,211,903"]);
  });

  test("of milliseconds change their unit before they are long", () => {
    expect([0, 0.44, 9.94, 38.4, 999, 1240, 15_000, 125_000].map(milliseconds)).toEqual([
      "0 ms",
      "0.4 ms",
      "9.9 ms",
      "38 ms",
      "999 ms",
      "1.24 s",
      "15.0 s",
      "2 m 5 s",
    ]);
  });

  test("of bytes are those of the settings: MB is 10^6", () => {
    expect([0, 999, 1500, 512_000_000, 69_723_856_896].map(bytes)).toEqual([
      "0 B",
      "999 B",
      "1.5 kB",
      "512 MB",
      "70 GB",
    ]);
  });

  test("that count things agree with them", () => {
    expect([
      counted(1, "recipient"),
      counted(0, "recipient"),
      counted(2, "entry", "entries"),
    ]).toEqual(["1 recipient", "0 recipients", "2 entries"]);
  });

  test("of whatever size stay short", () => {
    const long = fc.double({ min: 0, max: 1e12, noNaN: true });
    fc.assert(fc.property(long, (value) => shortCount(value).length <= 9));
    fc.assert(fc.property(long, (value) => bytes(value).length <= 10));
  });
});

describe("times", () => {
  test("name their two largest units", () => {
    expect([-3, 0, 45, 60, 255, 12_000, 45_900, 187_200].map(age)).toEqual([
      "0 s",
      "0 s",
      "45 s",
      "1 m",
      "4 m 15 s",
      "3 h 20 m",
      "12 h 45 m",
      "2 d 4 h",
    ]);
  });

  test("are told in UTC, and from now", () => {
    const now = Date.parse("2026-11-23T13:45:00.000Z");
    expect(instant("2026-11-23T13:45:10.123Z")).toBe("2026-11-23 13:45:10");
    expect(instant("2026-11-23T13:45:10.123Z", { ms: true })).toBe("2026-11-23 13:45:10.123");
    expect(fromNow("2026-11-23T13:49:15.000Z", now)).toBe("in 4 m 15 s");
    expect(fromNow("2026-11-23T13:44:00.000Z", now)).toBe("1 m ago");
    expect(fromNow("2026-11-23T13:45:00.400Z", now)).toBe("now");
    expect(fromNow("never", now)).toBe("never");
    expect(dueText("2026-11-23T13:49:15.000Z", now)).toBe("in 4 m 15 s");
    expect(dueText("2026-11-23T13:44:00.000Z", now)).toBe("due");
  });

  test("within a sentence of the API read like all others", () => {
    expect(plainTimes("Paused at 2026-11-23T13:58:22.106Z, until 2026-11-23T14:00:00Z.")).toBe(
      "Paused at 2026-11-23 13:58:22 UTC, until 2026-11-23 14:00:00 UTC.",
    );
  });
});

describe("states", () => {
  test("each has a tone, and one that is not known has a quiet one", () => {
    for (const state of recipientStates) expect(toneOf(state)).toBeString();
    expect([toneOf("delivered"), toneOf("bounced"), toneOf("teleported")]).toEqual([
      "good",
      "bad",
      "quiet",
    ]);
  });

  test("are final here when they are final in the daemon", () => {
    expect([...finalStates].toSorted()).toEqual(recipientStates.filter(isFinal).toSorted());
  });

  test("of several recipients are counted, in the order in which they occur", () => {
    expect(countStates(["deferred", "delivered", "delivered"])).toEqual([
      { state: "deferred", count: 1 },
      { state: "delivered", count: 2 },
    ]);
  });

  test("each phase of SMTP has a name for people", () => {
    for (const phase of Object.keys(phases)) expect(phaseInWords(phase)).not.toBe("");
    expect([phaseInWords("dot"), phaseInWords("rcpt"), phaseInWords("new")]).toEqual([
      "end of data",
      "RCPT TO",
      "new",
    ]);
  });
});
