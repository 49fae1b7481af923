// Whole dialogues as an operator would see them on the wire: tests/golden/smtp/*.txt, one file a case. `S:` is what the server says,
// `C:` what we say; `<body>` stands for the message and its dot. Behind `=====` stands what each recipient was told.
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createReplyParser, wordsOf, type Reply } from "../../src/smtp/reply.ts";
import type { Dialogue, Happened, Want } from "../../src/smtp/dialogue.ts";
import { opening } from "../../src/smtp/session.ts";
import { transaction, type Fate } from "../../src/smtp/transaction.ts";

const folder = join(import.meta.dir, "../golden/smtp");

/** A server that says its lines one after another, then hangs up. */
function scriptedServer(said: readonly string[]): { next(): Reply | undefined; said: string[] } {
  const waiting = [...said];
  const heard: string[] = [];
  return {
    said: heard,
    next() {
      const parser = createReplyParser();
      let found: Reply | undefined;
      while (found === undefined && waiting.length > 0) {
        const line = waiting.shift() as string;
        heard.push(`S: ${line}`);
        parser.feed(Buffer.from(`${line}\r\n`), (reply) => (found = reply));
      }
      return found;
    },
  };
}

const closed: Happened & { got: "lost" } = { got: "lost", why: "closed", text: "hung up" };

function play<T>(dialogue: Dialogue<T>, server: ReturnType<typeof scriptedServer>): T {
  const answer = (want: Want): Happened => {
    switch (want.want) {
      case "reply": {
        if (want.send !== null) server.said.push(`C: ${want.send}`);
        const reply = server.next();
        return reply === undefined ? closed : { got: "reply", reply };
      }
      case "replies": {
        for (const line of want.send) server.said.push(`C: ${line}`);
        const replies = want.phases.map(() => server.next()).filter((one) => one !== undefined);
        return {
          got: "replies",
          replies,
          lost: replies.length < want.phases.length ? closed : null,
        };
      }
      case "body":
        server.said.push(want.manner === "dotted" ? "C: <body>" : `C: <body, ${want.manner}>`);
        return { got: "done" };
      case "tls":
        server.said.push("C: <handshake>");
        return { got: "done" };
    }
  };
  let step = dialogue.next();
  while (step.done !== true) step = dialogue.next(answer(step.value));
  return step.value;
}

function told(to: string, fate: Fate): string {
  switch (fate.fate) {
    case "taken":
      return `${to}: taken`;
    case "refused":
      return `${to}: refused at ${fate.phase}: ${fate.reply.code} ${fate.reply.enhanced} ${wordsOf(fate.reply)}`;
    case "lost":
      return `${to}: lost at ${fate.phase}${fate.doubt ? ", in doubt" : ""}`;
    case "unfit":
      return `${to}: ${fate.enhanced} ${fate.text}`;
    case "spoiled":
      return `${to}: ${fate.text}`;
  }
}

const dsn = { notify: ["failure"], ret: "headers", envid: "order 17" } as const;

/** A comment such as `# octets: 100000` sets the scene. */
const said = (dialogue: string, name: string): string | undefined =>
  new RegExp(`^# ${name}: (.*)$`, "m").exec(dialogue)?.[1];

function transcript(text: string): string {
  const [dialogue = ""] = text.split("=====\n");
  const lines = dialogue.split("\n");
  const server = scriptedServer(
    lines.filter((line) => line.startsWith("S: ")).map((line) => line.slice(3)),
  );
  const login = dialogue.includes("AUTH") ? { user: "user", pass: "secret" } : null;
  const ready = play(
    opening({
      helo: "us.example.com",
      encrypt: "offered",
      secured: false,
      login,
      clearAllowed: false,
      nonce: () => "nonce",
    }),
    server,
  );
  const outcome: string[] = [];
  if (ready.end !== "ready") outcome.push(`no session: ${ready.end}`);
  else {
    const to = ["b@example.net", "c@example.net"];
    const envelope = {
      from: "a@example.com",
      to,
      sizeBytes: Number(said(dialogue, "octets") ?? 1234),
      eightBit: said(dialogue, "seven bit") === undefined,
      utf8: false,
      ...(said(dialogue, "dsn") === undefined ? {} : { dsn }),
    };
    const end = play(transaction(envelope, ready.offer), server);
    outcome.push(...end.fates.map((fate, i) => told(to[i] ?? "", fate)));
    outcome.push(end.clean ? "the connection is kept" : "the connection is closed");
  }
  const comment = lines.filter((line) => line.startsWith("#"));
  return [...comment, ...server.said, "=====", ...outcome, ""].join("\n");
}

for (const file of readdirSync(folder).sort())
  test(`the dialogue of ${file} is held word for word`, () => {
    const text = readFileSync(join(folder, file), "utf8");
    expect(transcript(text)).toBe(text);
  });
