import { expect, test } from "bun:test";
import { loadConfig } from "../../src/config.ts";
import type { Machine } from "../../src/config/machine.ts";
import { otlpSettings } from "../../src/config/otlpSettings.ts";

const machine = {} as Machine;
const { otlpEndpoint, otlpHeaders, traceSample } = otlpSettings;

test.each([
  ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"],
  ["https://otlp.example/base", "https://otlp.example/base"],
  ["off", null],
  ["otlp.example:4318", undefined],
  ["grpc://otlp.example", undefined],
  ["http://user:pass@otlp.example", undefined],
  ["http://otlp.example/?key=1", undefined],
  ["http://otlp .example", undefined],
  ["", undefined],
])("otlp_endpoint %s is read as %s", (raw, value) => {
  expect(otlpEndpoint.kind.parse(raw, machine)).toBe(value as string);
});

test.each<[string, unknown]>([
  ["authorization=Bearer%20k", [["authorization", "Bearer k"]]],
  [
    "a=1, b=2=3",
    [
      ["a", "1"],
      ["b", "2=3"],
    ],
  ],
  ["none", null],
  ["", undefined],
  ["a", undefined],
  ["a=", undefined],
  ["=1", undefined],
  ["a b=1", undefined],
  ["a=%0d%0aX: 1", undefined],
  ["a=%zz", undefined],
  ["Content-Type=text/plain", undefined],
  ["host=elsewhere", undefined],
])("otlp_headers %s is read as %j", (raw, value) => {
  expect(otlpHeaders.kind.parse(raw, machine)).toEqual(value as [string, string][]);
});

test("what is shown of headers reads as the same", () => {
  const pairs = [["authorization", "Bearer a,b=c%"]] as const;
  expect(otlpHeaders.kind.parse(otlpHeaders.kind.show(pairs), machine)).toEqual(pairs);
});

test.each<[unknown, number | undefined]>([
  ["1%", 0.01],
  ["0.1 %", 0.001],
  ["100%", 1],
  ["0%", 0],
  ["0", 0],
  [0, 0],
  ["101%", undefined],
  ["-1%", undefined],
  ["1", undefined],
  [1, undefined],
  ["half", undefined],
])("trace_sample %p is read as %p", (raw, value) => {
  expect(traceSample.kind.parse(raw, machine)).toBe(value as number);
  if (value !== undefined)
    expect(traceSample.kind.parse(traceSample.kind.show(value), machine)).toBeCloseTo(value, 10);
});

const warnings = (otlp_endpoint: string, flags: Readonly<Record<string, string>>) => {
  const loaded = loadConfig({
    ...{ env: {}, cwd: "/work", home: "/home/me", flags: { otlp_endpoint, ...flags } },
    machine: { cores: 4, hostname: "mail.shop.example", fileLimit: 1024, terminal: false },
    ...{ readFile: () => undefined, volumeBytes: () => 100e9, relayProblems: () => [] },
    keyFaults: () => ({ problems: [], warnings: [] }),
  });
  return loaded.kind === "ok" ? loaded.warnings : ["refused"];
};

test("secrets that would travel in clear are warned of, but not on this host", () => {
  const secret = { otlp_headers: "authorization=Bearer%20k" };
  expect(warnings("http://otlp.example:4318", secret)).toEqual([
    expect.stringContaining("unencrypted to otlp.example:4318"),
  ]);
  for (const fine of ["http://127.0.0.1:4318", "http://[::1]:4318", "https://otlp.example"])
    expect(warnings(fine, secret)).toEqual([]);
  expect(warnings("http://otlp.example:4318", {})).toEqual([]);
});
