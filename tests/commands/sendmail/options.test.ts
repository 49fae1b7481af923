// The options of sendmail, as the programs that call it write them.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseSendmail, type SendmailOptions } from "../../../src/commands/sendmail/options.ts";

function parsed(line: string): SendmailOptions {
  const result = parseSendmail(line.split(" "));
  if (result.kind === "refused") throw new Error(result.why);
  return result.options;
}

const why = (line: string): string => {
  const result = parseSendmail(line.split(" "));
  return result.kind === "refused" ? result.why : "";
};

describe("known callers", () => {
  const cases: readonly (readonly [string, string, Partial<SendmailOptions>])[] = [
    ["PHP", "-t -i", { fromHeader: true, dotEnds: false, recipients: [] }],
    ["PHP with a sender", "-t -i -fbounce@a.example", { sender: "bounce@a.example" }],
    ["cron", "-FCronDaemon -i -B8BITMIME -oem root", { fullName: "CronDaemon", dotEnds: false }],
    ["vixie cron", "-i -FCronDaemon -B8BITMIME -oem root", { recipients: ["root"] }],
    ["mailx", "-i root user@b.example", { recipients: ["root", "user@b.example"] }],
    ["mutt", "-oem -oi -f me@a.example -- you@b.example", { recipients: ["you@b.example"] }],
    ["git send-email", "-i -f me@a.example you@b.example", { sender: "me@a.example" }],
    ["mdadm", "-t", { fromHeader: true, dotEnds: true }],
    ["one dash", "-tif me@a.example", { fromHeader: true, sender: "me@a.example" }],
    ["a bounce", "-f <> you@b.example", { sender: "" }],
    [
      "notices",
      "-N success,delay -R hdrs -V id1 a@b.c",
      { notify: "success,delay", ret: "headers" },
    ],
    ["debugging", "-d0.1 -v -Am a@b.c", { recipients: ["a@b.c"] }],
    ["the queue", "-bp", { mode: "list" }],
    ["SMTP", "-bs", { mode: "smtp" }],
    ["a flush", "-q", { mode: "flush" }],
    ["a daemon's interval", "-q30m", { mode: "nothing" }],
    ["new aliases", "-bi", { mode: "nothing" }],
    [
      "settings of another make",
      "-O DeliveryMode=b -C /etc/x.cf -X /tmp/log a@b.c",
      { recipients: ["a@b.c"] },
    ],
  ];
  for (const [who, line, expected] of cases)
    test(who, () => expect(parsed(line)).toMatchObject(expected));
});

test("what would change who gets the mail, and is not known, is refused", () => {
  expect(why("-bd")).toContain("postrider serve");
  expect(why("-z a@b.c")).toBe("-z is not known");
  expect(why("-f")).toBe("-f needs a value");
  expect(why("-N often a@b.c")).toStartWith("-N: found often");
  expect(why("-R most a@b.c")).toStartWith("-R: found most");
});

test("behind two dashes everything is a recipient", () => {
  expect(parsed("-i -- -t -x").recipients).toEqual(["-t", "-x"]);
});

test("no arguments whatever break it", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 6 }), { maxLength: 6 }), (args) => {
      expect(["ok", "refused"]).toContain(parseSendmail(args).kind);
    }),
    { numRuns: 300 },
  );
});
