import { expect, test } from "bun:test";
import { parseDelay, parseFault } from "../../src/sink/faults.ts";

test("a fault names phase, code and rate", () => {
  expect(parseFault("rcpt:451:10%")).toEqual({
    ok: true,
    value: { phase: "rcpt", code: 451, rate: 0.1 },
  });
  expect(parseFault("dot:drop")).toEqual({ ok: true, value: { phase: "dot", code: 0, rate: 1 } });
});

test("a delay names phase and duration", () => {
  expect(parseDelay("rcpt=200ms")).toEqual({ ok: true, value: { phase: "rcpt", ms: 200 } });
  expect(parseDelay("220=3s")).toEqual({ ok: true, value: { phase: "220", ms: 3_000 } });
});

test("what cannot be read is refused with an example or the list of phases", () => {
  for (const text of ["", "rcpt", "rcpt:250:10%", "rcpt:451:101%", "rcpt:451:x%"])
    expect(parseFault(text).ok).toBe(false);
  expect(parseFault("nope:451")).toMatchObject({
    problem: '"nope" is no phase; phases are 220, ehlo, starttls, mail, rcpt, data, body, dot',
  });
  expect(parseDelay("rcpt=fast").ok).toBe(false);
});
