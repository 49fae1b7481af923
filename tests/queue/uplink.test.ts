// Every road through the state of our own line.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  afterSighting,
  explainLine,
  lineUp,
  type Sighting,
  type Signs,
  type Uplink,
} from "../../src/queue/uplink.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const missing = (n: number, port25 = true): Sighting => ({
  kind: "unreached",
  site: `s${n}.example`,
  network: `192.${n}`,
  port25,
});
const reached = (n: number): Sighting => ({ kind: "reached", site: `s${n}.example` });
const look = (signs: Partial<Signs> = {}): Sighting => ({
  kind: "look",
  signs: { resolverSilent: false, answeredAtMono: -1, wayOut: true, ...signs },
});
const silent = look({ resolverSilent: true });

type Timed = readonly [atMono: number, sighting: Sighting];

function walk(timed: readonly Timed[], from: Uplink = lineUp): Uplink {
  return timed.reduce((line, [at, sighting]) => afterSighting(line, sighting, at), from);
}

const three: readonly Timed[] = [
  [0, missing(1)],
  [10, missing(2)],
  [20, missing(3)],
];

describe("the line is down", () => {
  test("when three unrelated sites could not be reached, and nobody was in between", () => {
    expect(walk(three)).toMatchObject({ name: "down", cause: "sites" });
    expect(walk(three.slice(0, 2)).name).toBe("up");
    expect(walk([...three.slice(0, 2), [15, reached(9)], [20, missing(3)]]).name).toBe("up");
  });

  test("not when they share a network, or failed long after each other", () => {
    const kin = (n: number): Sighting => ({
      kind: "unreached",
      site: `v${n}.example`,
      network: "192.0",
      port25: true,
    });
    expect(walk([1, 2, 3, 4].map((n): Timed => [n, kin(n)])).name).toBe("up");
    expect(walk([1, 2, 3].map((n): Timed => [n * 4 * MINUTE, missing(n)])).name).toBe("up");
    expect(walk([1, 1, 1, 2].map((n): Timed => [n, missing(n)])).name).toBe("up");
  });

  test("when the resolver is silent and no server was reached lately", () => {
    expect(walk([[0, silent]])).toMatchObject({ name: "down", cause: "resolver" });
    expect(
      walk([
        [0, reached(1)],
        [MINUTE - 1, silent],
      ]).name,
    ).toBe("up");
    expect(
      walk([
        [0, reached(1)],
        [MINUTE, silent],
      ]).name,
    ).toBe("down");
  });

  test("when the resolver is silent and one site cannot be reached", () => {
    expect(
      walk([
        [0, reached(1)],
        [1, missing(2)],
        [2, silent],
      ]).name,
    ).toBe("down");
    expect(
      walk([
        [0, missing(2)],
        [1, reached(1)],
        [2, silent],
      ]).name,
    ).toBe("up");
  });

  test("and a site that is dead by its own doing does not count", () => {
    const dead: readonly Timed[] = [
      [0, missing(1)],
      [1, missing(2)],
      [2, reached(9)],
    ];
    const again: readonly Timed[] = [
      [10, missing(1)],
      [11, missing(2)],
      [12, missing(3)],
    ];
    expect(walk([...dead, ...again]).name).toBe("up");
    // One that was reached since counts again, and each does after an hour.
    expect(walk([...dead, [3, reached(1)], [4, reached(2)], ...again]).name).toBe("down");
    const later = again.map(([at, one]): Timed => [at + HOUR, one]);
    expect(walk([...dead, ...later]).name).toBe("down");
  });
});

describe("probes", () => {
  test("go out after a second, and then ever more seldom, at least once a minute", () => {
    let line = walk(three);
    let at = 20;
    const waits: number[] = [];
    for (let probe = 0; probe < 9; probe++) {
      waits.push((line.probeAtMono - at) / SECOND);
      at = line.probeAtMono;
      line = afterSighting(line, { kind: "probed" }, at);
      expect(line.probeAtMono).toBe(Infinity);
      line = afterSighting(line, { kind: "missed" }, at);
    }
    expect(waits).toEqual([1, 1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test("say nothing while the line is up", () => {
    expect(
      walk([
        [0, { kind: "probed" }],
        [1, { kind: "missed" }],
      ]),
    ).toEqual(lineUp);
  });
});

describe("the line is up again", () => {
  test("once any server was reached", () => {
    for (const road of [three, [[0, silent] as const]])
      expect(walk([...road, [50, reached(2)]])).toMatchObject({ name: "up", suspects: [] });
  });

  test("once the resolver answers, if its silence was the reason", () => {
    expect(
      walk([
        [0, silent],
        [50, look()],
      ]).name,
    ).toBe("up");
    expect(walk([...three, [50, silent], [60, look()]]).name).toBe("down");
  });
});

describe("port 25 is blocked", () => {
  const answered = look({ answeredAtMono: 30 });
  const probe: readonly Timed[] = [
    [40, { kind: "probed" }],
    [50, missing(1)],
    [50, { kind: "missed" }],
  ];

  test("when the resolver has answered and a probe still reached nobody", () => {
    const line = walk([...three, [35, answered], ...probe]);
    expect(line.name).toBe("port25_blocked");
    expect(explainLine(line)).toContain("relay =");
  });

  test("not before a probe, nor by an answer from before, nor from this host itself", () => {
    expect(walk([...three, [35, answered]]).name).toBe("down");
    expect(walk([...three, [35, look({ answeredAtMono: 19 })], ...probe]).name).toBe("down");
    const own = look({ answeredAtMono: 30, wayOut: false });
    expect(walk([...three, [35, own], ...probe]).name).toBe("down");
  });

  test("not when another port was tried", () => {
    const mixed: readonly Timed[] = [
      [0, missing(1)],
      [10, missing(2)],
      [20, missing(3, false)],
    ];
    expect(walk([...mixed, [35, answered], ...probe]).name).toBe("down");
  });

  test("an answer brings the next probe forward", () => {
    const tired = walk([...three, [30, { kind: "probed" }], [31, { kind: "missed" }]]);
    const line = afterSighting(tired, look({ answeredAtMono: 40 }), 41);
    expect(line.probeAtMono).toBe(41);
  });

  test("becomes a lost line when the resolver falls silent, and is over with the first server reached", () => {
    const blocked = walk([...three, [35, answered], ...probe]);
    expect(afterSighting(blocked, silent, 60)).toMatchObject({ name: "down", cause: "sites" });
    expect(afterSighting(blocked, reached(4), 60).name).toBe("up");
  });
});

const anySighting: fc.Arbitrary<Sighting> = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map(reached),
  fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean()).map(([n, port25]) => missing(n, port25)),
  fc
    .record({
      resolverSilent: fc.boolean(),
      answeredAtMono: fc.integer({ min: -1, max: 10 * MINUTE }),
      wayOut: fc.boolean(),
    })
    .map(look),
  fc.constantFrom<Sighting>({ kind: "probed" }, { kind: "missed" }),
);

test("on any road there is a probe to come or one that is out while it is down, and none while it is up", () => {
  const road = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 * SECOND }), anySighting), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(road, (steps) => {
      let at = 0;
      let line = lineUp;
      let isOut = false;
      for (const [wait, sighting] of steps) {
        at += wait;
        const before = line;
        line = afterSighting(line, sighting, at);
        if (sighting.kind === "probed") isOut = line.name !== "up";
        if (sighting.kind === "missed" || line.name === "up") isOut = false;
        if (before.name === "up" && line.name !== "up") isOut = false;
        if (line.name === "up") expect(line).toMatchObject({ cause: "", probeAtMono: Infinity });
        else if (isOut) expect(line.probeAtMono).toBe(Infinity);
        else expect(line.probeAtMono - at).toBeLessThanOrEqual(MINUTE);
        expect(line.suspects.length).toBeLessThanOrEqual(256);
        expect(line.excused.size).toBeLessThanOrEqual(1000);
        expect(explainLine(line) === "").toBe(line.name === "up");
      }
    }),
    { numRuns: 300 },
  );
});
