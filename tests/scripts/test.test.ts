// The gate itself: what it counts, and that a peer that is missing is told.
import { expect, test } from "bun:test";
import { countsOf } from "../../scripts/test.ts";
import { findProgram } from "../peers.ts";

const report = `<?xml version="1.0"?>
<testsuites>
  <testcase name="a" classname="x" time="0.1" />
  <testcase name="b &gt; c" time="0"><skipped /></testcase>
  <testcase name="d" time="0">
    <failure type="AssertionError" />
  </testcase>
</testsuites>`;

test("passed, failed and skipped tests are told apart, skipped ones by name", () => {
  expect(countsOf(report, 1)).toEqual({ passed: 1, failed: 1, skipped: ["b > c"] });
});

test("a run that fails without a failed test is a failure", () => {
  expect(countsOf("", 1)).toEqual({ passed: 0, failed: 1, skipped: [] });
  expect(countsOf(report.replace(/<failure.*>/, ""), 1).failed).toBe(1);
});

test("a program is found in the path, or where Debian puts daemons", () => {
  expect(findProgram("sh", "/nowhere:/bin")).toBe("/bin/sh");
  expect(findProgram("no-such-program", "/bin")).toBeUndefined();
});
