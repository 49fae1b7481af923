// What `scripts/observe` ships fits together: rules and dashboard ask for nothing that the daemon does not tell, each alert says what to do
// about it by a command that exists, and each is explained, and tried at its edge.
import { describe, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createBox } from "../commands/setup.ts";
import { createProgram } from "../../src/commands/cli.ts";
import { metricTable } from "../../src/mail/metrics.ts";
import { dashboard } from "../../scripts/observe/dashboard.ts";
import { grafanaJson } from "../../scripts/observe/grafana.ts";
import { hasten, observeFolder, readRules, ruleFile, ruleNames } from "../fixtures/observe.ts";
import { askedBy } from "../fixtures/promql.ts";

const read = (...path: string[]): string => readFileSync(join(observeFolder, ...path), "utf8");
const alerts = readRules("alerts.yml");
const recorded = readRules("recording.yml");

/** Labels that Prometheus adds, and those of the bucket and of the alert itself. */
const GIVEN = new Set(["job", "instance", "le", "alertname", "alertstate", "severity"]);
/** Made by Prometheus for each target and each rule. */
const MADE = new Set(["up", "ALERTS"]);

const labelsOf = new Map<string, ReadonlySet<string>>();
for (const { name, kind, labels } of metricTable)
  for (const suffix of kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""])
    labelsOf.set(name + suffix, new Set(labels));
const anyLabel = new Set(metricTable.flatMap(({ labels }) => labels));
// What is recorded has labels of the table, but not of one row.
for (const { record = "" } of recorded) labelsOf.set(record, anyLabel);

/** A command as it mostly reads, with the names of labels for their values. */
function plain(command = ""): string {
  return command
    .replace(/\{\{ if .*?\{\{ else \}\}(.*)\{\{ end \}\}/, "$1")
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => label.toUpperCase());
}

/** What is asked for and is not there. */
function unknownIn(expression: string): string[] {
  const { selectors, groupedBy } = askedBy(expression);
  const faults = groupedBy.filter((label) => !anyLabel.has(label) && !GIVEN.has(label));
  for (const { name, labels } of selectors) {
    const known = labelsOf.get(name);
    if (known === undefined && !MADE.has(name)) faults.push(name);
    for (const label of labels)
      if (!GIVEN.has(label.name) && known?.has(label.name) === false)
        faults.push(`${name}{${label.name}}`);
  }
  return faults;
}

test("an expression is read as far as names and labels go", () => {
  const asked = askedBy(
    'sum by (site) (rate(a_total{site=~"x|}",class!="y"}[5m] offset 10m)) / on (site) b:c:d > 5 and up == 0',
  );
  expect(asked.selectors.map(({ name }) => name)).toEqual(["a_total", "b:c:d", "up"]);
  expect(asked.selectors[0]?.labels.map(({ name }) => name)).toEqual(["site", "class"]);
  expect(asked.groupedBy).toEqual(["site", "site"]);
  expect(unknownIn("sum by (colour) (postrider_doubts_total{site='x'}) + nothing_total")).toEqual([
    "colour",
    "nothing_total",
  ]);
});

test("a hurried rule is the same rule: only its minutes are short, and what holds for two seconds fires", () => {
  expect(hasten("for: 5m\n  for: 30m\n  a[10m] offset 10m > 12 * 60 + 1 * 600")).toBe(
    "for: 2s\n  for: 2s\n  a[6000ms] offset 6000ms > 12 * 0.6 + 1 * 600",
  );
  for (const name of ruleNames)
    expect(hasten(read("rules", name))).not.toMatch(/for: \d+m|\[\d+[mhd]\]|offset \d+[mhd]\b/);
});

describe("the rules", () => {
  for (const { alert, record, expr } of [...recorded, ...alerts])
    test(`${alert ?? record} asks for what the daemon tells`, () =>
      expect(unknownIn(expr)).toEqual([]));

  test("ask in their words, too, for what the daemon tells", () => {
    const asked = alerts.flatMap(({ annotations = {} }) =>
      [...(annotations["description"] ?? "").matchAll(/"(topk.*?)"/g)].map(([, expr = ""]) => expr),
    );
    expect(asked.length).toBeGreaterThan(0);
    for (const expr of asked)
      expect([expr, unknownIn(expr.replace("%q", '"x"'))]).toEqual([expr, []]);
  });

  test("wait before they speak, say how bad it is, what it is, and which command answers it", () => {
    const program = createProgram(createBox().deps, { end: () => {}, complain: () => {} });
    for (const { alert, for: wait, labels, annotations = {} } of alerts) {
      expect([alert, wait]).toEqual([alert, expect.stringMatching(/^\d+m$/) as string]);
      expect([alert, labels?.["severity"]]).toEqual([
        alert,
        expect.stringMatching(/^(critical|warning)$/) as string,
      ]);
      expect(Object.keys(annotations)).toEqual(["summary", "description", "command"]);
      const words = plain(annotations["command"]).split(" ");
      if (words[0] === "curl") continue;
      expect([alert, words.shift()]).toEqual([alert, "postrider"]);
      let command = program;
      for (const word of words) {
        const found = command.commands.find((one) => one.name() === word);
        if (found === undefined) break;
        command = found;
      }
      expect([alert, command.commands]).toEqual([alert, []]);
      const flags = words.filter((word) => word.startsWith("--"));
      for (const flag of flags) expect(command.options.map(({ long }) => long)).toContain(flag);
    }
  });

  test("are each explained in the README, in their order and with the same command", () => {
    const explained = [...read("README.md").matchAll(/^### (\w+)\n\n`(.+)` \((\w+)\)$/gm)];
    expect(explained.map(([, name, command, severity]) => [name, command, severity])).toEqual(
      alerts.map(({ alert, annotations, labels }) => [
        alert,
        plain(annotations?.["command"]),
        labels?.["severity"],
      ]),
    );
  });

  test("are each tried: seen firing, and seen silent", () => {
    const tests = readdirSync(join(observeFolder, "rules")).filter((name) =>
      name.endsWith(".test.yml"),
    );
    const text = tests.map((name) => readFileSync(ruleFile(name), "utf8")).join("\n");
    for (const { alert } of alerts) {
      const checks = [...text.matchAll(/expr: ALERTS\{alertname="(\w+)".*\n.*\n(.*)$/gm)].filter(
        ([, name]) => name === alert,
      );
      const silent = checks.filter(([, , samples]) => samples?.trim() === "exp_samples: []");
      expect([alert, silent.length > 0, checks.length > silent.length]).toEqual([
        alert,
        true,
        true,
      ]);
    }
    for (const { record = "" } of recorded) expect(text).toContain(`expr: ${record}`);
  });
});

describe("the dashboard", () => {
  const shown = JSON.parse(read("grafana", "postrider.json")) as unknown;
  const panels = dashboard.rows.flatMap(({ panels: inRow }) => inRow);

  test("is what scripts/observe/dashboard.ts says (it writes it)", () => {
    expect(shown).toEqual(JSON.parse(JSON.stringify(grafanaJson(dashboard))));
  });

  for (const { title, panels: inRow } of dashboard.rows)
    test(`asks for what the daemon tells: ${title}`, () => {
      const questions = inRow.flatMap((panel) => panel.questions);
      for (const { expr } of questions) expect([expr, unknownIn(expr)]).toEqual([expr, []]);
    });

  test("lies within 24 columns, and no panel on another", () => {
    const places = (grafanaJson(dashboard)["panels"] as { gridPos: Record<string, number> }[]).map(
      ({ gridPos: { x = 0, y = 0, w = 0, h = 0 } }) => ({ x, y, w, h }),
    );
    const taken = new Set<string>();
    for (const { x, y, w, h } of places)
      for (let i = 0; i < w * h; i++) taken.add(`${x + (i % w)} ${y + Math.floor(i / w)}`);
    expect(taken.size).toBe(places.reduce((sum, { w, h }) => sum + w * h, 0));
    expect(Math.max(...places.map(({ x, w }) => x + w))).toBe(24);
  });

  test("shows dots of messages where buckets lead to some, and nowhere else", () => {
    const leading = metricTable.filter((row) => row.exemplars === true).map(({ name }) => name);
    for (const { title, questions, exemplars = false } of panels) {
      const asked = questions.flatMap(({ expr }) =>
        askedBy(expr).selectors.map(({ name }) => name),
      );
      const leads = asked.some((name) => leading.some((one) => name === `${one}_bucket`));
      expect([title, exemplars]).toEqual([title, leads]);
    }
  });

  test("says of every panel what is read from it", () => {
    for (const { title, about } of panels)
      expect([title, about]).toEqual([title, expect.any(String)]);
    const titles = dashboard.rows.flatMap((row) =>
      row.panels.map((one) => `${row.title} ${one.title}`),
    );
    expect(new Set(titles).size).toBe(titles.length);
  });
});
