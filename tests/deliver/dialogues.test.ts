// What is said in an attempt is kept with its first verdict: on connections that opened, that were tried in vain, that broke, that had
// carried mail before; with the time of each reply, and without secrets.
import { expect, test } from "bun:test";
import type { Log } from "../../src/base/log.ts";
import { type Conversation, unpackConversations } from "../../src/mail/dialogue.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { DeliverSettings } from "../../src/deliver/settings.ts";
import type { Act, Script } from "./fakeMx.ts";
import { usualOffers } from "./fakeMx.ts";
import { message, recipients, rigsOfEachTest, stepOf, type Rig } from "./rig.ts";

const start = rigsOfEachTest();

const saidIn = (verdict: Verdict | undefined): Conversation[] =>
  verdict?.dialogue === undefined ? [] : unpackConversations(verdict.dialogue);

/** Phase, line and code of each exchange. */
const shortly = ({ exchanges }: Conversation): string[] =>
  exchanges.map(({ phase, sent, code }) => `${phase} ${sent} ${code || "-"}`);

async function verdictOf(built: Rig, place: number): Promise<Verdict> {
  const verdict = (await built.verdictsOf(place + 1))[place];
  if (verdict === undefined) throw new Error("no verdict");
  return verdict;
}

const OCTETS = message.length;
const transaction = (to: string): string[] => [
  `mail MAIL FROM:<sender@example.com> SIZE=${OCTETS} 250`,
  `rcpt RCPT TO:<${to}> 250`,
  ...["data DATA 354", `dot (${OCTETS} octets) 250`],
];
const opening = ["connect  -", "greeting  220", "ehlo EHLO us.example.com 250"];

test("the first message tells how its connection was opened, the second one that it was kept", async () => {
  const built = await start({ servers: [{}] });
  built.send();
  const first = await verdictOf(built, 0);
  built.send();
  const [one, two] = [saidIn(first), saidIn(await verdictOf(built, 1))];
  expect([one.length, two.length]).toEqual([1, 1]);
  expect(one[0]).toMatchObject({ host: "mx.example.com", address: "192.0.2.1", reused: false });
  expect(one[0]?.source).toBe("127.0.0.1");
  expect(one[0]?.session).toBe(stepOf(first).session);
  expect(shortly(one[0] as Conversation)).toEqual([...opening, ...transaction("to1@example.net")]);
  expect(two[0]).toMatchObject({ reused: true, session: stepOf(first).session, dropped: 0 });
  expect(shortly(two[0] as Conversation)).toEqual(transaction("to2@example.net"));
});

test("what left with the dot before it is told with its own message", async () => {
  const built = await start({ servers: [{}], settings: { siteConnections: 1 } });
  for (let i = 0; i < 6; i++) built.send();
  const said = (await built.verdictsOf(6)).map((one) => saidIn(one)[0] as Conversation);
  const lines = said.map((one) => shortly(one).slice(-4));
  expect(lines).toEqual([1, 2, 3, 4, 5, 6].map((n) => transaction(`to${n}@example.net`)));
  for (const { exchanges } of said)
    for (const { sentMs, tookMs } of exchanges) {
      expect(sentMs).toBeGreaterThanOrEqual(0);
      expect(tookMs).toBeGreaterThanOrEqual(0);
    }
});

test("of several recipients the first one has it, with each RCPT and its own answer", async () => {
  const script: Script = (verb, line): Act =>
    verb === "RCPT" && line.includes("bad") ? "550 5.1.1 no such user" : undefined;
  const built = await start({ servers: [{ script }] });
  built.send({ recipients: recipients("bad", "good", "better") });
  const verdicts = await built.verdictsOf(3);
  expect(verdicts.map(({ dialogue }) => dialogue !== undefined)).toEqual([true, false, false]);
  expect(new Set(verdicts.map((one) => `${stepOf(one).session} ${stepOf(one).at}`)).size).toBe(1);
  expect(shortly(saidIn(verdicts[0])[0] as Conversation).slice(3)).toEqual([
    `mail MAIL FROM:<sender@example.com> SIZE=${OCTETS} 250`,
    "rcpt RCPT TO:<bad@example.net> 550",
    "rcpt RCPT TO:<good@example.net> 250",
    "rcpt RCPT TO:<better@example.net> 250",
    ...["data DATA 354", `dot (${OCTETS} octets) 250`],
  ]);
});

test("an address that nobody answers at is told with the message that waited for it", async () => {
  const built = await start({ servers: [{}], route: backup });
  built.send();
  const said = saidIn(await verdictOf(built, 0));
  expect(said.map(({ address }) => address)).toEqual(["192.0.2.9", "192.0.2.1"]);
  expect(said[0]?.source).toBe("");
  expect(said[0]?.exchanges[0]).toMatchObject({ phase: "connect", code: 0 });
  expect(said[0]?.exchanges[0]?.reply).toStartWith("network: ");
  expect(shortly(said[1] as Conversation)).toEqual([...opening, ...transaction("to1@example.net")]);
});

const backup = {
  hosts: ["192.0.2.9", "192.0.2.1"].map((address, i) => ({
    name: `mx${i}.example.com`,
    preference: i,
    addresses: [address],
  })),
};

test("where nothing could be opened, all that waited are told so", async () => {
  const dead = { hosts: [{ name: "mx.example.com", preference: 0, addresses: ["192.0.2.9"] }] };
  const built = await start({ servers: [{}], route: dead });
  for (let i = 0; i < 3; i++) built.send({ recipients: recipients("a", "b") });
  const verdicts = await built.verdictsOf(6);
  expect(verdicts.map(({ dialogue }) => dialogue !== undefined)).toEqual([
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
  for (const verdict of verdicts.filter(({ dialogue }) => dialogue !== undefined))
    expect(saidIn(verdict).map(shortly)).toEqual([["connect  -"]]);
});

test("a connection that broke belongs to the attempt that went on to the next", async () => {
  const script: Script = (verb): Act => (verb === "MAIL" ? "CLOSE" : undefined);
  const built = await start({ servers: [{ script, offers: ["8BITMIME"] }, {}] });
  built.send();
  const said = saidIn(await verdictOf(built, 0));
  expect(said.map(({ address }) => address)).toEqual(["192.0.2.1", "192.0.2.2"]);
  expect(said[0]?.exchanges.at(-1)).toMatchObject({ phase: "mail", code: 0 });
  expect(said[0]?.exchanges.at(-1)?.reply).toStartWith("closed: ");
  expect(shortly(said[1] as Conversation).slice(3)).toEqual(transaction("to1@example.net"));
});

test("a kept connection that was dead is told before the new one", async () => {
  const script: Script = (verb, _, { number, messages }): Act =>
    verb === "MAIL" && number === 0 && messages.length === 1
      ? "421 4.4.2 too long idle"
      : undefined;
  const tired = await start({ servers: [{ script, offers: ["8BITMIME"] }] });
  tired.send();
  await tired.verdictsOf(1);
  tired.send();
  const said = saidIn(await verdictOf(tired, 1));
  expect(said.map(({ reused }) => reused)).toEqual([true, false]);
  expect(said[0]?.exchanges.at(-1)).toMatchObject({ phase: "mail", code: 421 });
});

const doors: readonly (readonly [string, string, Act, string, string])[] = [
  ["a refusal of the recipient", "RCPT", "451 4.7.1 greylisted", "rcpt", "451 4.7.1 greylisted"],
  ["a refusal of the sender", "MAIL", "450 4.1.8 who", "mail", "450 4.1.8 who"],
  ["a refusal of the message", ".", "554 5.7.1 spam", "dot", "554 5.7.1 spam"],
  ["a greeting that sends us away", "CONNECT", "554 5.3.2 go", "greeting", "554 5.3.2 go"],
  ["a connection that ends at the dot", ".", "CLOSE", "dot", "0 closed: "],
  ["words that are no SMTP", "EHLO", { raw: "hello\r\n" }, "ehlo", "0 protocol: "],
];

test.each(doors)("%s is the last that is told", async (_, at, act, phase, last) => {
  const script: Script = (verb): Act => (verb === at ? act : undefined);
  const built = await start({ servers: [{ script, offers: ["ENHANCEDSTATUSCODES"] }] });
  built.send();
  const exchanges = saidIn(await verdictOf(built, 0)).at(-1)?.exchanges ?? [];
  const told = exchanges.findLast((one) => one.phase === phase);
  expect(`${told?.code} ${told?.reply}`).toStartWith(last);
});

test("a handshake is told with what it proved, and one that breaks with why", async () => {
  const offers = [...usualOffers, "STARTTLS"];
  const good = await start({ servers: [{ offers }], route: { tls: "required" } });
  good.send();
  const tls = saidIn(await verdictOf(good, 0))[0]?.exchanges.find(({ phase }) => phase === "tls");
  expect(tls).toMatchObject({ sent: "", code: 0 });
  expect(tls?.reply).toMatch(/^TLSv1\.\d \S+, (not )?verified/);
  await good.end();
  const broken = await start({
    servers: [{ offers, handshakes: false }],
    route: { tls: "required" },
  });
  broken.send();
  const last = saidIn(await verdictOf(broken, 0))[0]?.exchanges.at(-1);
  expect(last).toMatchObject({ phase: "tls", code: 0 });
  expect(last?.reply).toStartWith("tls: ");
});

const login = { user: "us@example.com", pass: "open sesame" };
const secrets = [
  login.pass,
  ...["us@example.com", login.pass].map((one) => btoa(one)),
  btoa(`\0${login.user}\0${login.pass}`),
];

test.each(["PLAIN", "LOGIN", "CRAM-MD5"] as const)(
  "AUTH %s shows neither what we say nor what is asked",
  async (mechanism) => {
    const answers: Record<string, readonly string[]> = {
      PLAIN: ["235 2.7.0 welcome"],
      LOGIN: ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 welcome"],
      "CRAM-MD5": ["334 PDEyMzQuNTY3QGV4YW1wbGU+", "235 2.7.0 welcome"],
    };
    let said = 0;
    const script: Script = (verb): Act =>
      ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT", "."].includes(verb)
        ? undefined
        : answers[mechanism]?.[said++];
    const offers = [...usualOffers, `AUTH ${mechanism}`];
    const route = { via: "relay", login: { ...login, mechanism } } as const;
    const built = await start({ servers: [{ offers, script }], route });
    built.send();
    const verdict = await verdictOf(built, 0);
    expect(verdict.kind).toBe("delivered");
    const auth = saidIn(verdict)[0]?.exchanges.filter(({ phase }) => phase === "auth") ?? [];
    expect(auth[0]?.sent).toBe(
      mechanism === "PLAIN" ? "AUTH PLAIN ***" : `AUTH ${mechanism}`.replace(/$/, " ***"),
    );
    expect(auth.slice(1).map(({ sent }) => sent)).toEqual(auth.slice(1).map(() => "***"));
    expect(auth.map(({ code, reply }) => `${code} ${reply}`)).toEqual(
      (answers[mechanism] ?? []).map((line) => (line.startsWith("334") ? "334 ***" : line)),
    );
    for (const secret of secrets) expect(verdict.dialogue).not.toContain(secret);
    expect(verdict.dialogue).not.toContain("PDEyMzQu");
  },
);

const unusual = { user: "us@example.com", pass: "geh\u00e4im zu" };
test.each([
  ["PLAIN", login, ({ pass }: typeof login): string => pass],
  ["PLAIN", unusual, ({ pass }: typeof login): string => pass],
  ["PLAIN", login, ({ user, pass }: typeof login): string => btoa(`\0${user}\0${pass}`)],
  ["LOGIN", login, ({ pass }: typeof login): string => btoa(pass)],
  ["XOAUTH2", login, ({ pass }: typeof login): string => pass],
] as const)(
  "a server that repeats a secret when it refuses AUTH %s is repeated nowhere",
  async (mechanism, as, repeated) => {
    const lines: string[] = [];
    let asked = 0;
    // LOGIN asks twice, a refused token is told of in a challenge.
    const challenges = { PLAIN: 0, LOGIN: 2, XOAUTH2: 1 }[mechanism];
    const script: Script = (verb): Act =>
      ["CONNECT", "EHLO", "QUIT"].includes(verb)
        ? undefined
        : asked++ < challenges
          ? "334 "
          : `535 5.7.8 ${repeated(as)} is wrong`;
    const offers = [...usualOffers, `AUTH ${mechanism}`];
    const route = { via: "relay", login: { ...as, mechanism } } as const;
    const log: Log = (_, event, fields) => void lines.push(JSON.stringify([event, fields]));
    const built = await start({ servers: [{ offers, script }], route, log });
    built.send();
    const verdict = await verdictOf(built, 0);
    const all = [verdict.dialogue, verdict.step, ...lines].join("\n");
    expect(lines.join()).toContain("relay.login_refused");
    expect(stepOf(verdict).text).toBe("*** is wrong");
    expect(verdict.dialogue).toContain("5.7.8 *** is wrong");
    expect(all).not.toContain(repeated(as));
  },
);

test("what a hostile server says is harmless and short, however much it says", async () => {
  const script: Script = (verb): Act =>
    verb === "RCPT"
      ? { raw: `550-5.1.1 \u001b]0;x\u0007\r\n550 5.1.1 ${"y".repeat(50_000)}\r\n` }
      : undefined;
  const built = await start({ servers: [{ script }] });
  built.send();
  const { dialogue = "" } = await verdictOf(built, 0);
  expect(dialogue).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|\\u001b/);
  expect(dialogue).toContain("\\\\x1b");
  expect(dialogue.length).toBeLessThan(3000);
});

test("what is cut within a character beyond 16 bits is still text", async () => {
  const script: Script = (verb): Act =>
    verb === "RCPT" ? `550 5.1.1 ${"x".repeat(3)}${"\u{1f600}".repeat(900)}` : undefined;
  const built = await start({ servers: [{ script }] });
  built.send();
  const verdict = await verdictOf(built, 0);
  const { text } = stepOf(verdict);
  const reply = saidIn(verdict)[0]?.exchanges.find(({ code }) => code === 550)?.reply ?? "";
  expect(reply.isWellFormed()).toBeTrue();
  expect(text.isWellFormed()).toBeTrue();
});

test("a line without end is told as what it is", async () => {
  const script: Script = (verb): Act =>
    verb === "MAIL" ? { raw: `250 ${"z".repeat(1_000_000)}` } : undefined;
  const built = await start({ servers: [{ script, offers: [] }] });
  built.send();
  const verdict = await verdictOf(built, 0);
  expect(saidIn(verdict).at(-1)?.exchanges.at(-1)?.reply).toBe("protocol: a reply is too long");
  expect(verdict.dialogue?.length).toBeLessThan(5000);
});

test("a thousand recipients cost some kilobytes, and those who were refused are among them", async () => {
  const script: Script = (verb, line): Act =>
    verb === "RCPT" && /to9\d\d@/.test(line) ? `550 5.1.1 no such user ${line}` : undefined;
  const built = await start({
    servers: [{ script, offers: [...usualOffers, "LIMITS RCPTMAX=1000"] }],
    settings: { transactionRecipients: 1000 },
  });
  const names = Array.from({ length: 1000 }, (_, i) => `to${i}`);
  built.send({ recipients: recipients(...names) });
  const verdicts = await built.verdictsOf(1000);
  expect(verdicts.filter(({ dialogue }) => dialogue !== undefined)).toHaveLength(1);
  const [conversation] = saidIn(verdicts[0]);
  expect(verdicts[0]?.dialogue?.length).toBeLessThan(40_000);
  const { exchanges = [], dropped } = conversation ?? {};
  expect(dropped).toBe(1006 - exchanges.length);
  expect(exchanges.filter(({ code }) => code === 550)).toHaveLength(100);
  expect(exchanges.at(-1)).toMatchObject({ phase: "dot", code: 250 });
});

const plain: Partial<DeliverSettings> = { dialogues: "trouble" };

test("with `trouble` only what did not simply deliver is kept, with `off` nothing", async () => {
  const script: Script = (verb, line): Act =>
    verb === "RCPT" && line.includes("bad") ? "550 5.1.1 no" : undefined;
  const built = await start({ servers: [{ script }], settings: plain });
  built.send();
  await built.verdictsOf(1);
  built.send({ recipients: recipients("bad") });
  const [good, bad] = await built.verdictsOf(2);
  expect(good?.dialogue).toBeUndefined();
  expect(saidIn(bad)[0]?.exchanges.find(({ code }) => code === 550)?.sent).toContain("bad@");
  await built.end();
  const off = await start({ servers: [{ script }], settings: { dialogues: "off" } });
  off.send({ recipients: recipients("bad") });
  expect((await off.verdictsOf(1))[0]?.dialogue).toBeUndefined();
});

test("a large message has a time of its own and is told by its size", async () => {
  const body = Buffer.from(`Subject: large\r\n\r\n${"a line of text\r\n".repeat(20_000)}`);
  const built = await start({ servers: [{}] });
  built.send({ body: { kind: "inline", length: body.length } }, { body });
  const said = saidIn(await verdictOf(built, 0))[0] as Conversation;
  expect(shortly(said).slice(-2)).toEqual([`body (${body.length} octets) -`, "dot . 250"]);
});
