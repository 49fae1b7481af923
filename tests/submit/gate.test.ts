import { expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { type ApiKey, createGate, digestOf } from "../../src/submit/auth.ts";
import { owner } from "../../src/submit/caller.ts";

/** A key that counts how often its digest is looked at. */
function watched(token: string, reads: string[]): ApiKey {
  const digest = digestOf(token);
  return {
    id: token,
    caller: { ...owner, key: token.length },
    get digest() {
      reads.push(token);
      return digest;
    },
  };
}

const nobody = (): null => null;

test("one digest is looked at for a token, whichever key it is near or is", () => {
  const reads: string[] = [];
  const names = ["first", "second", "third"];
  const keys = names.map((token) => watched(token, reads));
  const gate = createGate({ keys: () => keys, clock: systemClock });
  gate.checkToken("anything", nobody);
  for (const token of ["second", "secone", "nothing", "first", "third", ""]) {
    reads.length = 0;
    const found = gate.checkToken(token, nobody);
    expect([token, found.kind]).toEqual([token, names.includes(token) ? "ok" : "problem"]);
    expect(reads).toEqual(names.includes(token) ? [token] : []);
  }
});

test("of a thousand keys each opens the gate for its own caller, until the list is another one", () => {
  const made = (token: string, key: number): ApiKey => ({
    ...{ id: token, digest: digestOf(token) },
    caller: { ...owner, key },
  });
  let keys = Array.from({ length: 1000 }, (_, i) => made(`token-${i}`, i));
  const gate = createGate({ keys: () => keys, clock: systemClock });
  const callerOf = (token: string): number | undefined => {
    const found = gate.checkToken(token, nobody);
    return found.kind === "ok" ? found.value.key : undefined;
  };
  for (let i = 0; i < 1000; i++) expect(callerOf(`token-${i}`)).toBe(i);
  keys = keys.slice(1);
  expect([callerOf("token-0"), callerOf("token-1")]).toEqual([undefined, 1]);
});

test("whatever stands in the header, only the token of a key opens the gate", () => {
  const keys = [{ id: "first", digest: digestOf("pr_right"), caller: owner }];
  const gate = createGate({ keys: () => keys, clock: systemClock });
  const near = fc.oneof(
    fc.string({ maxLength: 600 }),
    fc.constantFrom(
      "pr_righ",
      "pr_right\0",
      "pr_righte",
      "PR_RIGHT",
      "pr_right pr_right",
      "Bearer",
    ),
  );
  fc.assert(
    fc.property(near, fc.constantFrom("Bearer ", "bearer ", "Basic ", ""), (text, scheme) => {
      const { kind } = gate.check(scheme + text, nobody);
      const right = /^bearer $/i.test(scheme) && text.trim() === "pr_right";
      expect(kind).toBe(right ? "ok" : "problem");
    }),
  );
  expect(gate.check("Bearer pr_right", nobody).kind).toBe("ok");
  expect(gate.check("bearer pr_right ", nobody).kind).toBe("ok");
});

test("a flood of guesses from everywhere takes a bounded memory and lets the right key pass", () => {
  const keys = [{ id: "first", digest: digestOf("pr_right"), caller: owner }];
  const gate = createGate({ keys: () => keys, clock: systemClock });
  let last = "";
  for (let i = 0; i < 20_000; i++) {
    const found = gate.checkToken(`wrong${i}`, () => `10.${i >> 8}.${i & 255}.1`);
    if (found.kind === "problem") last = found.problem.name;
  }
  expect(last).toBe("invalid_api_key");
  expect(gate.checkToken("pr_right", () => "10.0.0.1").kind).toBe("ok");
});
