// Logging in: the conversations of the RFCs word for word, and every road through each mechanism.
import { expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { logIn, mechanismFor, type Login, type Mechanism } from "../../src/smtp/auth.ts";
import { Stop, type Happened } from "../../src/smtp/dialogue.ts";
import { nothingOffered } from "../../src/smtp/extensions.ts";
import { createScram } from "../../src/smtp/scram.ts";
import { everyPath } from "./everyPath.ts";

const encode = (text: string): string => Buffer.from(text).toString("base64");
const decode = (text: string): string => Buffer.from(text, "base64").toString();

interface Played {
  readonly sent: string[];
  /** `in`, or what stopped it. */
  readonly end: string;
}

interface Line {
  readonly login: Login;
  readonly offered?: readonly string[];
  readonly secured?: boolean;
  readonly clearAllowed?: boolean;
  readonly nonce?: string;
}

type Said = readonly [code: number, text: string] | "lost";

/** `respond` gets each line of ours. */
function play(line: Line, respond: (sent: string, count: number) => Said): Played {
  const { login, offered = [login.mechanism ?? "PLAIN"], secured = true } = line;
  const sent: string[] = [];
  const run = logIn({
    login,
    offer: { ...nothingOffered, auth: offered },
    secured,
    clearAllowed: line.clearAllowed ?? false,
    nonce: () => line.nonce ?? "nonce",
  });
  try {
    let step = run.next();
    while (step.done !== true) {
      if (step.value.want !== "reply") throw new Error("only lines here");
      sent.push(String(step.value.send));
      const said = respond(sent.at(-1) ?? "", sent.length - 1);
      const happened: Happened =
        said === "lost"
          ? { got: "lost", why: "closed", text: "gone" }
          : { got: "reply", reply: { code: said[0], enhanced: "", lines: [said[1]] } };
      step = run.next(happened);
    }
    return { sent, end: "in" };
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    const { end } = stop;
    const why =
      end.end === "refused" ? String(end.reply.code) : end.end === "unfit" ? end.text : end.why;
    return { sent, end: `${end.end} ${why}` };
  }
}

const inOrder =
  (...said: Said[]) =>
  (_: string, count: number): Said =>
    said[count] ?? "lost";

const user = (mechanism: Mechanism, name = "tim", pass = "tanstaaftanstaaf"): Login => ({
  user: name,
  pass,
  mechanism,
});

test("PLAIN is RFC 4616's example", () => {
  const { sent, end } = play({ login: user("PLAIN") }, inOrder([235, "ok"]));
  expect(sent).toEqual(["AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]);
  expect(end).toBe("in");
});

test("LOGIN gives name and password one by one, whatever the prompts say", () => {
  const { sent, end } = play(
    { login: user("LOGIN", "u", "p") },
    inOrder([334, "VXNlcm5hbWU6"], [334, "what?"], [235, "ok"]),
  );
  expect(sent).toEqual(["AUTH LOGIN", "dQ==", "cA=="]);
  expect(end).toBe("in");
});

test("CRAM-MD5 is RFC 2195's example", () => {
  const challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
  const { sent } = play({ login: user("CRAM-MD5") }, inOrder([334, challenge], [235, "ok"]));
  expect(sent).toEqual(["AUTH CRAM-MD5", "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"]);
});

/** RFC 7677 3. */
const rfc7677 = {
  login: { user: "user", pass: "pencil", mechanism: "SCRAM-SHA-256" },
  nonce: "rOprNGfwEbeRWgbNEkqO",
  first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
  serverFirst:
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  final:
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
} as const;

test("SCRAM-SHA-256 is RFC 7677's example, to the empty line after the server's proof", () => {
  const { login, nonce, first, serverFirst, final, serverFinal } = rfc7677;
  const { sent, end } = play(
    { login, nonce },
    inOrder([334, encode(serverFirst)], [334, encode(serverFinal)], [235, "ok"]),
  );
  expect(sent).toEqual([`AUTH SCRAM-SHA-256 ${encode(first)}`, encode(final), ""]);
  expect(end).toBe("in");
});

test("a server that does not prove that it knows the password is not trusted", () => {
  const { login, nonce, serverFirst } = rfc7677;
  const first: Said = [334, encode(serverFirst)];
  const forged = encode(`v=${encode("x".repeat(32))}`);
  const taken = play({ login, nonce }, inOrder(first, [334, forged], [501, "canceled"]));
  expect(taken.sent.at(-1)).toBe("*");
  expect(taken.end).toContain("unfit");
  // A 235 without the proof.
  expect(play({ login, nonce }, inOrder(first, [235, "ok"])).end).toContain("did not prove");
});

for (const [what, text] of [
  ["a nonce of somebody else", rfc7677.serverFirst.replace("rOpr", "xOpr")],
  ["our own nonce and nothing more", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"],
  ["too few rounds", rfc7677.serverFirst.replace("4096", "4095")],
  ["so many rounds that we would stand still", rfc7677.serverFirst.replace("4096", "999999999")],
  ["an extension that we must know", `m=x,${rfc7677.serverFirst}`],
  ["nothing", ""],
] as const)
  test(`SCRAM is taken back when the server sends ${what}`, () => {
    const { login, nonce } = rfc7677;
    const { sent, end } = play({ login, nonce }, inOrder([334, encode(text)], [501, "canceled"]));
    expect(sent.slice(1)).toEqual(["*"]);
    expect(end).toContain("cannot be answered");
  });

/** RFC 5802 3 from the server's side, written apart from ours. */
function scramServer(login: Login, salt: string, iterations: number) {
  const salted = pbkdf2Sync(login.pass.normalize("NFKC"), salt, iterations, 32, "sha256");
  const hmac = (key: Buffer, text: string): Buffer =>
    createHmac("sha256", key).update(text).digest();
  let bare = "";
  let first = "";
  return {
    first(message: string): string {
      bare = message.replace(/^n,,/, "");
      first = `r=${/r=(.*)$/.exec(bare)?.[1]}server,s=${encode(salt)},i=${iterations}`;
      return first;
    },
    /** Undefined when the password is wrong. */
    final(message: string): string | undefined {
      const [without = "", proof = ""] = message.split(",p=");
      const everything = `${bare},${first},${without}`;
      const stored = createHash("sha256").update(hmac(salted, "Client Key")).digest();
      const signature = hmac(stored, everything);
      const key = Buffer.from(proof, "base64").map((octet, i) => octet ^ (signature[i] ?? 0));
      if (!createHash("sha256").update(key).digest().equals(stored)) return undefined;
      return `v=${hmac(hmac(salted, "Server Key"), everything).toString("base64")}`;
    },
  };
}

for (const name of ["plain", "a=b,c", "jürgen"])
  test(`SCRAM agrees with a server of another hand: ${name}`, () => {
    const login = { user: name, pass: "pässword ①" };
    const server = scramServer(login, "salt".repeat(4), 4096);
    const client = createScram(login, "abc");
    const serverFinal = server.final(client.final(server.first(client.first)) ?? "");
    expect(serverFinal).toBeDefined();
    expect(client.proves(serverFinal ?? "")).toBe(true);
    const wrong = createScram({ ...login, pass: "other" }, "abc");
    expect(server.final(wrong.final(server.first(wrong.first)) ?? "")).toBeUndefined();
  });

/** Google's and Microsoft's documents. */
const token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";

test("XOAUTH2 sends the token, and an empty line after an error", () => {
  const login = user("XOAUTH2", "someuser@example.com", token);
  const refusal = encode('{"status":"401","schemes":"Bearer"}');
  const { sent, end } = play({ login }, inOrder([334, refusal], [535, "5.7.8 no"]));
  expect(sent).toEqual([
    "AUTH XOAUTH2 dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
    "",
  ]);
  expect(end).toBe("refused 535");
});

test("a token that is too long for the command waits for the server's empty challenge", () => {
  const login = user("XOAUTH2", "u", "t".repeat(4000));
  const { sent, end } = play({ login }, inOrder([334, ""], [235, "ok"]));
  expect(sent[0]).toBe("AUTH XOAUTH2");
  expect(decode(sent[1] ?? "")).toBe(`user=u\x01auth=Bearer ${"t".repeat(4000)}\x01\x01`);
  expect(end).toBe("in");
  const endless = user("XOAUTH2", "u", "t".repeat(20_000));
  expect(play({ login: endless }, inOrder([334, ""], [501, "ok"])).sent).toEqual([
    "AUTH XOAUTH2",
    "*",
  ]);
});

const all = ["LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"];
const free = { user: "u", pass: "p" };

test("the best mechanism is taken, and a token only where it is named as one", () => {
  const chosen = (auth: readonly string[], secured: boolean) =>
    mechanismFor({ ...nothingOffered, auth }, free, secured);
  expect(chosen(all, true)).toBe("SCRAM-SHA-256");
  expect(chosen(["LOGIN", "CRAM-MD5", "PLAIN"], true)).toBe("PLAIN");
  expect(chosen(["LOGIN", "CRAM-MD5"], true)).toBe("LOGIN");
  expect(chosen(["LOGIN", "CRAM-MD5", "PLAIN"], false)).toBe("CRAM-MD5");
  expect(chosen(["XOAUTH2", "NTLM"], true)).toBeUndefined();
});

test("a mechanism that was asked for is not replaced by another", () => {
  const { sent, end } = play(
    { login: user("SCRAM-SHA-256"), offered: ["PLAIN", "LOGIN"] },
    inOrder([235, "ok"]),
  );
  expect(sent).toEqual([]);
  expect(end).toContain("PLAIN LOGIN, not SCRAM-SHA-256");
});

for (const mechanism of [undefined, ...(all as Mechanism[])])
  test(`every road through ${mechanism ?? "the choice of a mechanism"} keeps the password safe`, () => {
    const login = mechanism === undefined ? free : { ...free, mechanism };
    everyPath((choose) => {
      const secured = choose([true, false]);
      const clearAllowed = choose([true, false]);
      const offered = choose([all, ["PLAIN"], ["CRAM-MD5"], []]);
      let lost = false;
      let proven = false;
      const { sent, end } = play({ login, offered, secured, clearAllowed }, () => {
        expect(lost).toBe(false);
        const said = choose([
          [235, "ok"],
          [334, ""],
          [334, encode("<x@y>")],
          [334, encode("e=other-error")],
          [454, "later"],
          [535, "no"],
          "lost",
        ] as const);
        lost = said === "lost";
        proven = said !== "lost" && said[0] === 235;
        return said;
      });
      if (!secured && !clearAllowed) expect(sent).toEqual([]);
      // Nobody here knows how to prove himself, so SCRAM never lets us in.
      if (end === "in") {
        expect(proven).toBe(true);
        expect(sent[0]).not.toContain("SCRAM");
      }
      expect(sent.length).toBeLessThan(8);
    });
  });
