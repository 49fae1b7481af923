import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { last, said } from "../../../src/smtp/server/said.ts";
import { everyPath } from "../everyPath.ts";
import { RIGHT, WRONG, decide, usual, walk } from "./walk.ts";

const hello = ["EHLO me.example", `AUTH PLAIN ${RIGHT}`] as const;
const message = ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"] as const;

test("a message is taken after a login", () => {
  const { codes, taken, text } = walk([...hello, ...message, "QUIT"]);
  expect(codes).toEqual([220, 250, 235, 250, 250, 354, 250, 221]);
  expect(taken).toEqual([
    { from: "a@b.example", recipients: ["c@d.example"], helo: "me.example", protocol: "ESMTPA" },
  ]);
  expect(text).toContain("250 2.0.0 Ok: queued as ID\r\n");
});

test("a name that could not stand in a trace field is not repeated there", () => {
  for (const name of ["me.example (x) by evil", "me;x", "<me>", "m\u00e9", "a".repeat(256)]) {
    const { taken } = walk([`EHLO ${name}`, hello[1], ...message]);
    expect([name, taken[0]?.helo]).toEqual([name, "unknown"]);
  }
});

test("EHLO tells what can be done", () => {
  const { text } = walk(["EHLO me"]);
  expect(text).toBe(
    "220 mx.example ESMTP Postrider\r\n250-mx.example\r\n250-PIPELINING\r\n250-SIZE 40000000\r\n" +
      "250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
  );
});

describe("nothing without a login, not even from this host:", () => {
  for (const clearLogin of [true, false])
    test(`clearLogin ${clearLogin}`, () => {
      const { codes, taken } = walk(["EHLO me", ...message, "HELO me", ...message], { clearLogin });
      expect(codes).toEqual([220, 250, 530, 530, 530, 250, 530, 530, 530]);
      expect(taken).toEqual([]);
    });
});

test("a key is not asked for in clear, and not taken", () => {
  const { codes, text } = walk(["EHLO me", `AUTH PLAIN ${RIGHT}`, "MAIL FROM:<a@b>"], {
    clearLogin: false,
  });
  expect(codes).toEqual([220, 250, 538, 530]);
  expect(text).not.toContain("AUTH PLAIN LOGIN");
  expect(text).toContain("STARTTLS and AUTH first");
});

test("what was said before the handshake is forgotten", () => {
  const before = ["EHLO me", `AUTH PLAIN ${RIGHT}`, "STARTTLS"];
  const behind = ["MAIL FROM:<a@b>", `AUTH PLAIN ${RIGHT}`, "EHLO me"];
  const { codes, text } = walk([...before, ...behind, "MAIL FROM:<a@b>", "STARTTLS"]);
  expect(codes).toEqual([220, 250, 235, 220, 503, 503, 250, 530, 502]);
  // Offered before, not after.
  expect(text.match(/250-STARTTLS/g)?.length).toBe(1);
});

test("octets behind STARTTLS end the session", () => {
  const refusal = last(503, "5.5.1", "Nothing may follow STARTTLS", "smtp_injected");
  const { codes, ended } = walk(["EHLO me", "STARTTLS", "EHLO me"], {}, (want) =>
    want.want === "tls" ? { got: "no", said: refusal } : decide(want),
  );
  expect(codes).toEqual([220, 250, 503]);
  expect(ended).toBe(true);
});

test("the trace word tells how a message came", () => {
  const word = (lines: readonly string[], secure: boolean) =>
    walk(["EHLO me", `AUTH PLAIN ${RIGHT}`, ...lines], { secure }).taken[0]?.protocol;
  const utf8 = ["MAIL FROM:<\u00e9@b> SMTPUTF8", "RCPT TO:<c@d>", "DATA"];
  expect(word(message, false)).toBe("ESMTPA");
  expect(word(message, true)).toBe("ESMTPSA");
  expect(word(utf8, false)).toBe("UTF8SMTPA");
  expect(word(utf8, true)).toBe("UTF8SMTPSA");
});

describe("AUTH:", () => {
  const b64 = (text: string): string => Buffer.from(text).toString("base64");
  const auth = (...lines: string[]) => walk(["EHLO me", ...lines]).codes.slice(2);
  test("PLAIN in two steps", () => expect(auth("AUTH PLAIN", RIGHT)).toEqual([334, 235]));
  test("LOGIN", () => expect(auth("AUTH LOGIN", b64("u"), b64("key"))).toEqual([334, 334, 235]));
  test("LOGIN with the name at once", () =>
    expect(auth(`auth login ${b64("u")}`, b64("key"))).toEqual([334, 235]));
  test("an empty name", () => expect(auth("AUTH LOGIN =", b64("key"))).toEqual([334, 235]));
  test("taken back", () => expect(auth("AUTH PLAIN", "*", "NOOP")).toEqual([334, 501, 250]));
  test("no base64", () => expect(auth("AUTH PLAIN ???", "NOOP")).toEqual([501, 250]));
  test("no PLAIN", () => expect(auth(`AUTH PLAIN ${b64("key")}`)).toEqual([501]));
  test("another mechanism", () => expect(auth("AUTH CRAM-MD5")).toEqual([504]));
  test("twice", () =>
    expect(auth(`AUTH PLAIN ${RIGHT}`, `AUTH PLAIN ${RIGHT}`)).toEqual([235, 503]));
  test("before EHLO", () => expect(walk([`AUTH PLAIN ${RIGHT}`]).codes).toEqual([220, 503]));
  test("behind HELO", () =>
    expect(walk(["HELO me", `AUTH PLAIN ${RIGHT}`]).codes).toEqual([220, 250, 503]));
  test("a guesser is told to go", () => {
    const { codes, ended } = walk([
      "EHLO me",
      ...Array.from({ length: 9 }, () => `AUTH PLAIN ${WRONG}`),
    ]);
    expect(codes).toEqual([220, 250, 535, 535, 535, 421]);
    expect(ended).toBe(true);
  });
});

describe("order and syntax:", () => {
  const after = (...lines: string[]) => walk([...hello, ...lines]).codes.slice(3);
  const cases: readonly (readonly [readonly string[], readonly number[]])[] = [
    [["RCPT TO:<c@d>"], [503]],
    [["DATA"], [503]],
    [
      ["MAIL FROM:<a@b>", "MAIL FROM:<a@b>"],
      [250, 503],
    ],
    [
      ["MAIL FROM:<a@b>", "DATA"],
      [250, 554],
    ],
    [
      ["MAIL FROM:<a@b>", "RCPT TO:<no@d>", "DATA"],
      [250, 550, 554],
    ],
    [
      ["MAIL FROM:<a@b>", "RSET", "RCPT TO:<c@d>"],
      [250, 250, 503],
    ],
    [
      ["MAIL FROM:<a@b>", "EHLO me", "RCPT TO:<c@d>"],
      [250, 250, 503],
    ],
    [
      ["MAIL FROM:<a@b>", "RCPT TO:<>"],
      [250, 501],
    ],
    [
      ["MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=NEVER"],
      [250, 555],
    ],
    [
      ["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA now"],
      [250, 250, 501],
    ],
    [["MAIL FROM:<>"], [250]],
    [["MAIL FROM:<no@b>"], [550]],
    [["MAIL a@b"], [501]],
    [["MAIL FROM:<a@b> SIZE=40000000"], [250]],
    [["MAIL FROM:<a@b> SIZE=40000001"], [552]],
    [["MAIL FROM:<a@b> SIZE=x"], [501]],
    [["MAIL FROM:<a@b> BODY=BINARYMIME"], [501]],
    [["MAIL FROM:<a@b> AUTH=<>"], [250]],
    [["MAIL FROM:<a@b> RET=FULL"], [555]],
    [["MAIL FROM:<\u00e9@b>"], [553]],
    [["MAIL FROM:<\u00e9@b> SMTPUTF8"], [250]],
    [
      ["MAIL FROM:<a@b>", "RCPT TO:<\u00e9@d>"],
      [250, 553],
    ],
    [["BDAT 3 LAST"], [500]],
    [["VRFY a"], [252]],
    [["HELP"], [214]],
    [["EHLO"], [501]],
    [["QUIT", "NOOP"], [221]],
    [["POST / HTTP/1.1", "NOOP"], [421]],
  ];
  for (const [lines, codes] of cases)
    test(lines.join(" | "), () => expect(after(...lines)).toEqual([...codes]));
});

describe("limits:", () => {
  const limits = usual.limits;
  const say = (lines: readonly string[], change: Partial<typeof limits>) =>
    walk([...hello, ...lines], { limits: { ...limits, ...change } });

  test("recipients beyond the limit are to come in another message", () => {
    const rcpts = [1, 2, 3, 2].map((n) => `RCPT TO:<r${n}@d>`);
    const { codes, taken } = say(["MAIL FROM:<a@b>", ...rcpts, "DATA"], { recipients: 2 });
    expect(codes.slice(4)).toEqual([250, 250, 452, 250, 354, 250]);
    expect(taken[0]?.recipients).toEqual(["r1@d", "r2@d"]);
  });
  test("refusals end a session, and a message that is taken forgives them", () => {
    const wrong = ["X", "X"];
    const { codes, ended } = say([...wrong, ...message, ...wrong, "X"], { errors: 2 });
    expect(codes.slice(3)).toEqual([500, 500, 250, 250, 354, 250, 500, 500, 500, 421]);
    expect(ended).toBe(true);
  });
  test("chatter ends a session", () => {
    const { codes } = say(
      Array.from({ length: 9 }, () => "NOOP"),
      { idleCommands: 4 },
    );
    expect(codes).toEqual([220, 250, 235, 250, 250, 421]);
  });
  test("recipients that are taken are no chatter", () => {
    const rcpts = Array.from({ length: 9 }, (_, n) => `RCPT TO:<r${n}@d>`);
    const { codes } = say(["MAIL FROM:<a@b>", ...rcpts, "DATA"], { idleCommands: 5 });
    expect(codes.at(-1)).toBe(250);
  });
  test("chatter without a login ends it sooner", () => {
    const { codes } = walk(Array.from({ length: 99 }, () => "NOOP"));
    expect(codes.length).toBe(1 + limits.strangerCommands + 1);
    expect(codes.at(-1)).toBe(421);
  });
  test("a long session ends between two messages", () => {
    const { codes, taken } = say([...message, ...message, ...message], { commands: 4 });
    expect(taken.length).toBe(1);
    expect(codes.at(-1)).toBe(421);
  });
});

describe("an end that is not the client's wish:", () => {
  const ends = [
    [{ got: "late" }, 421, "smtp_timeout"],
    [{ got: "drain" }, 421, undefined],
    [{ got: "broken", why: "bare" }, 500, "smtp_bare_line_end"],
    [{ got: "broken", why: "long" }, 500, "smtp_line_too_long"],
    [{ got: "broken", why: "text" }, 500, "smtp_bad_command"],
  ] as const;
  for (const [heard, code, refusal] of ends)
    for (const before of [[], hello, [...hello, message[0]], ["EHLO me", "AUTH PLAIN"]])
      test(`${JSON.stringify(heard)} behind ${before.length} lines`, () => {
        const { codes, ended, refusals } = walk([...before, heard, "NOOP"]);
        expect(codes.at(-1)).toBe(code);
        expect(ended).toBe(true);
        expect(refusals.at(-1)).toBe(refusal as string);
      });
});

test("on every path, what is said follows from what was allowed", () => {
  const lines = ["EHLO me", `AUTH PLAIN ${RIGHT}`, `AUTH PLAIN ${WRONG}`, ...message, "RSET"];
  const paths = everyPath((choose) => {
    const script: string[] = [];
    for (let i = 0; i < 5; i++) script.push(choose(lines));
    const { codes, taken } = walk(script);
    // Each line has its reply, and the message one more; whoever guesses keys is told to go.
    const datas = codes.filter((code) => code === 354).length;
    if (codes.at(-1) !== 421) expect(codes.length).toBe(1 + script.length + datas);
    expect(taken.length).toBe(datas);
    if (datas === 0) return;
    const [ehlo, auth, mail, rcpt, data] = script.map((line) => line.split(" ")[0]);
    expect([ehlo, auth, mail, rcpt, data]).toEqual(["EHLO", "AUTH", "MAIL", "RCPT", "DATA"]);
    expect(script[1]).toBe(`AUTH PLAIN ${RIGHT}`);
  });
  expect(paths).toBe(lines.length ** 5);
});

test("whatever is decided, a message is taken only if all of it was allowed", () => {
  const no = said(550, "5.7.1", "No", "no");
  const paths = everyPath((choose) => {
    const answers: string[] = [];
    const lines = [...hello, ...message, "RSET", ...message, "QUIT"];
    const { codes, taken, text } = walk(lines, {}, (want) => {
      const verdict = choose(["yes", "no", "end"] as const);
      answers.push(`${want.want} ${verdict}`);
      if (verdict === "yes") return decide(want);
      return { got: "no", said: verdict === "no" ? no : { ...no, close: true } };
    });
    const wanted = answers.filter((one) => one === "content yes").length;
    expect(taken.length).toBe(wanted);
    expect(text.match(/queued as/g)?.length ?? 0).toBe(wanted);
    if (!answers.includes("login yes")) expect(codes).not.toContain(354);
    if (answers.some((one) => one.endsWith(" end"))) expect(answers.at(-1)).toEndWith(" end");
    else expect(codes.at(-1)).toBe(221);
  });
  expect(paths).toBe(33);
});

test("a message that is refused at its end is not said to be queued", () => {
  const answers = [said(550, "5.6.0", "bad"), last(421, "4.3.2", "ending")];
  for (const answer of answers) {
    const { text, ended } = walk([...hello, ...message, "NOOP"], {}, (want) =>
      want.want === "content" ? { got: "no", said: answer } : decide(want),
    );
    expect(text).not.toContain("queued");
    expect(text).toContain(`${answer.code} ${answer.enhanced} ${answer.text}`);
    expect(ended).toBe(answer.close === true);
  }
});

test("whatever lines come, each is answered, and no message is taken without a login", () => {
  const verb = fc.constantFrom("MAIL", "RCPT", "DATA", "AUTH", "EHLO", "STARTTLS", "RSET", "X");
  const tail = fc.oneof(
    fc.constantFrom("", " FROM:<a@b>", " TO:<c@d>", " PLAIN", ` PLAIN ${WRONG}`, " me", " LOGIN ="),
    fc.string({ unit: "binary", maxLength: 40 }).map((text) => ` ${text}`),
  );
  const line = fc.tuple(verb, tail).map(([first, rest]) => first + rest);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 25 }), (script) => {
      const { codes, taken, text } = walk(script);
      expect(taken).toEqual([]);
      expect(codes.length).toBeGreaterThan(0);
      for (const one of text.split("\r\n").slice(0, -1)) expect(one).toMatch(/^\d{3}[ -][ -~]*$/);
    }),
    { numRuns: 1000 },
  );
});
