import { expect, test } from "bun:test";
import fc from "fast-check";
import type { SinkAction } from "../../src/sink/dialogue.ts";
import {
  createDialogue,
  createSinkMemory,
  type DialogueOptions,
  type Taken,
} from "../../src/sink/dialogue.ts";
import { scenarios } from "../../src/sink/scenarios.ts";

const GREYLIST_MS = 10_000;

function talk(options: Partial<DialogueOptions> = {}) {
  const dialogue = createDialogue({
    clock: { now: () => 0 },
    random: { roll: () => 0.5 },
    memory: createSinkMemory(),
    ...options,
  });
  const actions: SinkAction[] = [...dialogue.greet()];
  return {
    actions,
    dialogue,
    send(text: string): string {
      const fresh = dialogue.receive(new TextEncoder().encode(text));
      actions.push(...fresh);
      return repliesIn(fresh);
    },
    taken: (): Taken[] =>
      actions.flatMap((action) => (action.kind === "take" ? [action.taken] : [])),
  };
}

function repliesIn(actions: readonly SinkAction[]): string {
  return actions.map((action) => (action.kind === "reply" ? action.text : "")).join("");
}

function codes(text: string): string[] {
  return text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => line.slice(0, 3));
}

const envelope = (to: string): string =>
  `EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<${to}>\r\nDATA\r\n`;

test("a pipelined transaction is answered command by command and taken", () => {
  const client = talk();
  expect(codes(client.send(envelope("ok@x.test"))).slice(-3)).toEqual(["250", "250", "354"]);
  expect(client.send("X-Id: 7\r\n\r\nhello\r\n.\r\nQUIT\r\n")).toBe(
    "250 2.0.0 Taken 7\r\n221 2.0.0 Bye\r\n",
  );
  const [taken] = client.taken();
  expect(taken).toMatchObject({ from: "a@b.test", recipients: ["ok@x.test"], id: "7" });
  expect(new TextDecoder().decode(taken?.content())).toBe("X-Id: 7\r\n\r\nhello\r\n");
  expect(client.actions.at(-1)).toEqual({ kind: "close" });
});

test("the Message-ID counts when there is no X-Id, folded or not", () => {
  for (const head of ["Message-ID: <1@x>", "message-id:\r\n <1@x>"]) {
    const client = talk();
    client.send(envelope("ok@x.test"));
    client.send(`Subject: s\r\n${head}\r\n\r\nMessage-ID: <2@x>\r\n.\r\n`);
    expect(client.taken()[0]?.id).toBe("1@x");
  }
});

test("content survives dot-stuffing and any split into chunks", () => {
  const line = fc.stringMatching(/^[.a-z]{0,6}$/);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), (lines, cut) => {
      const content = lines.map((text) => `${text}\r\n`).join("");
      const stuffed = content.replace(/^\./gm, "..");
      const client = talk();
      client.send(envelope("ok@x.test"));
      const wire = `${stuffed}.\r\nNOOP\r\n`;
      for (let at = 0; at < wire.length; at += cut) client.send(wire.slice(at, at + cut));
      expect(client.taken().length).toBe(1);
      expect(new TextDecoder().decode(client.taken()[0]?.content())).toBe(content);
      expect(client.taken()[0]?.sizeBytes).toBe(stuffed.length);
    }),
    { numRuns: 300 },
  );
});

test("commands survive any split into chunks", () => {
  const wire = `${envelope("ok@x.test")}a: b\r\n\r\nc\r\n.\r\nRSET\r\nQUIT\r\n`;
  for (let cut = 1; cut < 40; cut++) {
    const client = talk();
    for (let at = 0; at < wire.length; at += cut) client.send(wire.slice(at, at + cut));
    expect(client.taken().length).toBe(1);
    expect(client.actions.at(-1)).toEqual({ kind: "close" });
  }
});

test("a lone LF or CR in a message refuses it, and never ends it", () => {
  const cases = ["a\n.\r\nb\r\n", "a\rb\r\n", "a\r.\rb\r\n", "a\n\r\n", "a\r\r\n", "a\n.\nb\r\n"];
  for (const bad of cases) {
    const client = talk();
    client.send(envelope("ok@x.test"));
    expect(client.send(`${bad}.\r\n`)).toBe("550 5.5.2 A CR or LF stands alone\r\n");
    expect(client.taken()).toEqual([]);
  }
});

test("a lone LF or CR in a command ends the connection", () => {
  for (const bad of ["EHLO a\n", "EHLO a\rb\r\n"]) {
    const client = talk();
    expect(client.send(bad)).toStartWith("521 ");
    expect(client.actions.at(-1)).toEqual({ kind: "close" });
  }
});

test("a wrong order of commands is refused", () => {
  expect(codes(talk().send("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n"))).toEqual([
    "503",
    "503",
    "503",
  ]);
  expect(codes(talk().send("HELO me\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n"))).toEqual([
    "250",
    "250",
    "503",
    "554",
  ]);
});

test("a non-ASCII address needs SMTPUTF8", () => {
  const client = talk();
  client.send("EHLO me\r\n");
  expect(client.send("MAIL FROM:<ü@x.test>\r\n")).toStartWith("553 5.6.7");
  expect(client.send("MAIL FROM:<ü@x.test> SMTPUTF8 BODY=8BITMIME\r\n")).toStartWith("250 ");
  expect(client.send("RCPT TO:<用户@x.test>\r\n")).toStartWith("250 ");
});

test("a declared size above the limit is refused before the content, a hidden one after it", () => {
  const client = talk({ sizeMax: 20 });
  expect(client.send("EHLO me\r\n")).toContain("SIZE 20");
  expect(client.send("MAIL FROM:<> SIZE=21\r\n")).toStartWith("552 5.3.4");
  client.send("MAIL FROM:<>\r\nRCPT TO:<ok@x>\r\nDATA\r\n");
  expect(client.send(`${"x".repeat(30)}\r\n.\r\n`)).toStartWith("552 5.3.4");
  expect(client.taken()).toEqual([]);
});

test("8-bit content that was not declared and over-long lines are taken with a complaint", () => {
  const client = talk();
  client.send(envelope("ok@x.test"));
  client.send(`ü${"x".repeat(1000)}\r\n.\r\n`);
  expect(client.taken()[0]?.complaints).toEqual([
    "8-bit content without BODY=8BITMIME",
    "a line of 1002 bytes",
  ]);
});

test("STARTTLS drops what was sent behind it and forgets the greeting", () => {
  const client = talk({ offersTls: true });
  expect(client.send("EHLO me\r\n")).toContain("STARTTLS");
  expect(client.send("STARTTLS\r\nNOOP\r\n")).toBe("220 2.0.0 Go ahead\r\n");
  expect(client.actions.at(-1)).toEqual({ kind: "starttls" });
  client.dialogue.secured();
  expect(client.send("MAIL FROM:<>\r\n")).toStartWith("503");
  expect(client.send("EHLO me\r\n")).not.toContain("STARTTLS");
});

test("AUTH PLAIN and LOGIN are checked before MAIL", () => {
  const login = { user: "me", pass: "secret" };
  const b64 = (text: string): string => Buffer.from(text).toString("base64");
  const plain = talk({ login });
  plain.send("EHLO me\r\n");
  expect(plain.send("MAIL FROM:<>\r\n")).toStartWith("530");
  expect(plain.send(`AUTH PLAIN ${b64("\0me\0wrong")}\r\n`)).toStartWith("535");
  expect(plain.send(`AUTH PLAIN ${b64("\0me\0secret")}\r\n`)).toStartWith("235");
  expect(plain.send("MAIL FROM:<>\r\n")).toStartWith("250");
  const steps = talk({ login });
  const wire = `EHLO me\r\nAUTH LOGIN\r\n${b64("me")}\r\n${b64("secret")}\r\n`;
  expect(codes(steps.send(wire)).slice(-3)).toEqual(["334", "334", "235"]);
});

test("greylisting refuses the first try, gives a hint, and accepts after the time", () => {
  let now = 0;
  const memory = createSinkMemory();
  const tryOnce = (): string => {
    const client = talk({ memory, clock: { now: () => now } });
    client.send("EHLO me\r\nMAIL FROM:<a@b.test>\r\n");
    return client.send("RCPT TO:<greylist@x.test>\r\n");
  };
  expect(tryOnce()).toBe("451 4.7.1 Greylisted, try again in 10 seconds\r\n");
  now = 4_000;
  expect(tryOnce()).toBe("451 4.7.1 Greylisted, try again in 6 seconds\r\n");
  now = GREYLIST_MS;
  expect(tryOnce()).toStartWith("250 ");
  expect(tryOnce()).toStartWith("451 4.7.1");
});

test("drop-after-dot keeps the message and says nothing, lose-at-dot does not keep it", () => {
  for (const [name, kept] of [
    ["drop-after-dot", 1],
    ["lose-at-dot", 0],
  ] as const) {
    const client = talk();
    client.send(envelope(`${name}+5@x.test`));
    expect(client.send("a\r\n.\r\n")).toBe("");
    expect(client.taken().length).toBe(kept);
    expect(client.actions.at(-1)).toEqual({ kind: "close" });
  }
});

test("an early scenario is announced by 421 and holds for the next connection only", () => {
  const memory = createSinkMemory();
  const first = talk({ memory });
  first.send("EHLO me\r\nMAIL FROM:<>\r\n");
  expect(first.send("RCPT TO:<hard-220@x.test>\r\n")).toStartWith("421 ");
  expect(repliesIn(talk({ memory }).actions)).toStartWith("554 ");
  expect(repliesIn(talk({ memory }).actions)).toStartWith("220 ");
});

test("a domain may name an early scenario", () => {
  expect(repliesIn(talk({ domain: "soft-220.x.test" }).actions)).toStartWith("421 ");
  expect(talk({ domain: "slow-220.x.test" }).actions[0]?.kind).toBe("delay");
  expect(repliesIn(talk({ domain: "soft-rcpt.x.test" }).actions)).toStartWith("220 ");
  expect(talk({ domain: "no-ehlo.test" }).send("EHLO me\r\nHELO me\r\n")).toBe(
    "502 5.5.1 Speak HELO\r\n250 sink.test\r\n",
  );
});

test("a fault is injected at its rate, whatever the address", () => {
  const faults = [{ phase: "dot", code: 451, rate: 0.4 }] as const;
  for (const [roll, code] of [
    [0.39, "451"],
    [0.4, "250"],
  ] as const) {
    const client = talk({ faults, random: { roll: () => roll } });
    client.send(envelope("ok@x.test"));
    expect(client.send("a\r\n.\r\n")).toStartWith(code);
    expect(client.taken().length).toBe(code === "250" ? 1 : 0);
  }
});

test("a delay of a phase comes before its reply", () => {
  const client = talk({ delaysMs: { rcpt: 200 } });
  client.send("EHLO me\r\nMAIL FROM:<>\r\n");
  const actions = client.dialogue.receive(Buffer.from("RCPT TO:<ok@x>\r\n"));
  expect(actions.map((action) => action.kind)).toEqual(["delay", "reply"]);
});

test("endless commands and endless errors end the connection", () => {
  expect(talk().send("x".repeat(5_000))).toStartWith("500 5.5.6");
  expect(talk().send("WHAT\r\n".repeat(30))).toEndWith("421 4.7.0 Too many errors\r\n");
});

test("every scenario ends as its row says: refused, silent, closed or taken", () => {
  for (const [name, scenario] of scenarios) {
    if (["220", "ehlo", "starttls", "mail"].includes(scenario.phase)) continue;
    const client = talk();
    client.send(envelope(`${name}@x.test`));
    client.send("a\r\n.\r\n");
    const { reaction } = scenario;
    const taken =
      reaction.kind === "delay" ||
      ((reaction.kind === "drop" || reaction.kind === "hang") && reaction.taken === true);
    expect([name, client.taken().length]).toEqual([name, taken ? 1 : 0]);
  }
});

test("the table, which every sender thread holds, keeps no huge reply in memory", () => {
  for (const [name, { reaction }] of scenarios) {
    const kept: unknown = Object.getOwnPropertyDescriptor(reaction, "text")?.value;
    expect(typeof kept === "string" ? kept.length : 0, name).toBeLessThan(100);
  }
});
