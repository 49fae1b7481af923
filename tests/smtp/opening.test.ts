import { expect, test } from "bun:test";
import { opening, type OpeningEnd, type OpeningOptions } from "../../src/smtp/session.ts";
import type { Happened, Want } from "../../src/smtp/dialogue.ts";
import { everyPath, type Choose } from "./everyPath.ts";

const options: OpeningOptions = {
  helo: "us.example.com",
  encrypt: "offered",
  secured: false,
  login: null,
  clearAllowed: false,
  nonce: () => "nonce",
};

interface Played {
  readonly sent: string[];
  readonly end: OpeningEnd;
  readonly encrypted: boolean;
  readonly lost: boolean;
}

const reply = (code: number, ...lines: string[]): Happened => ({
  got: "reply",
  reply: { code, enhanced: "", lines: lines.length === 0 ? ["words"] : lines },
});
const lost: Happened = { got: "lost", why: "closed", text: "gone" };

function play(chosen: OpeningOptions, respond: (want: Want) => Happened): Played {
  const sent: string[] = [];
  let encrypted = chosen.secured;
  let gone = false;
  const run = opening(chosen);
  let step = run.next();
  while (step.done !== true) {
    expect(gone).toBe(false);
    const want = step.value;
    if (want.want === "reply" && want.send !== null)
      sent.push(`${encrypted ? "*" : ""}${want.send}`);
    const happened = respond(want);
    if (want.want === "tls" && happened.got === "done") encrypted = true;
    if (happened.got === "lost") gone = true;
    step = run.next(happened);
  }
  return { sent, end: step.value, encrypted, lost: gone };
}

const login = { user: "u", pass: "p" };
const servers = [["mx"], ["mx", "STARTTLS", "AUTH PLAIN"], ["mx", "AUTH LOGIN", "PIPELINING"]];

function anything(want: Want, choose: Choose): Happened {
  if (want.want === "tls") return choose([{ got: "done" }, lost] as const);
  if (want.want !== "reply") throw new Error("not in an opening");
  const code = choose([220, 334, 421, 454, 502, "lost"] as const);
  if (code === "lost") return lost;
  if (want.phase === "ehlo" && code === 220) return reply(250, ...choose(servers));
  return reply(code);
}

for (const encrypt of ["never", "offered", "always"] as const)
  test(`every road through set-up keeps its promises when encryption is ${encrypt}`, () => {
    everyPath((choose) => {
      const who = choose([null, login]);
      const played = play({ ...options, encrypt, login: who }, (want) => anything(want, choose));
      if (played.end.end !== "ready") return;
      expect(played.lost).toBe(false);
      expect(played.end.secured).toBe(played.encrypted);
      if (encrypt === "always") expect(played.encrypted).toBe(true);
      if (encrypt === "never") expect(played.encrypted).toBe(false);
      const auth = played.sent.filter((line) => line.includes("AUTH"));
      expect(auth.length > 0).toBe(who !== null);
      // A password is never said in clear, and what is offered is asked again after the handshake.
      for (const line of auth) expect(line.startsWith("*")).toBe(true);
      if (played.encrypted) expect(played.sent.some((line) => line.startsWith("*EHLO"))).toBe(true);
    });
  });

test("a server that knows no EHLO is greeted by HELO and offers nothing", () => {
  const { sent, end } = play(options, (want) =>
    want.want === "reply" && want.phase === "ehlo" ? reply(502) : reply(250),
  );
  expect(sent).toEqual(["EHLO us.example.com", "HELO us.example.com"]);
  expect(end).toMatchObject({ end: "ready", offer: { pipelining: false, size: false } });
});

test("a banner of stars is a firewall's: HELO, no pipelining, and a dot of its own", () => {
  const stars: Happened = reply(220, "*****2*******0*****");
  const respond = (want: Want): Happened =>
    want.want === "reply" && want.phase === "greeting" ? stars : reply(250, "mx", "PIPELINING");
  const { sent, end } = play(options, respond);
  expect(sent).toEqual(["HELO us.example.com"]);
  expect(end).toMatchObject({ end: "ready", offer: { pipelining: false, dotApart: true } });
  // What cannot be had by HELO is worth the try.
  expect(play({ ...options, encrypt: "always" }, respond).sent).toEqual(["EHLO us.example.com"]);
  expect(play({ ...options, login }, respond).sent[0]).toBe("EHLO us.example.com");
});

test("a banner with a name in it is a server's, whatever else it holds", () => {
  for (const text of ["mx.example.com ESMTP *** no spam ***", "2020", "", "**"])
    expect(
      play(options, (want) => {
        if (want.want === "reply" && want.phase === "greeting") return reply(220, text);
        return reply(250);
      }).sent,
    ).toEqual(["EHLO us.example.com"]);
});

test("a password is said in clear on this host only", () => {
  const respond = (want: Want): Happened =>
    want.want === "reply" && want.phase === "ehlo" ? reply(250, "mx", "AUTH PLAIN") : reply(235);
  expect(play({ ...options, login }, respond).end).toMatchObject({
    end: "unfit",
    lacks: "private",
  });
  const local = play({ ...options, login, clearAllowed: true }, respond);
  expect(local.end.end).toBe("ready");
  expect(local.sent.at(-1)).toBe("AUTH PLAIN AHUAcA==");
});

test("LOGIN gives name and password one by one", () => {
  const { sent } = play({ ...options, secured: true, login }, (want) => {
    if (want.want !== "reply") throw new Error("no handshake here");
    if (want.phase === "ehlo") return reply(250, "mx", "AUTH=LOGIN");
    const last = want.send === ("cA==" as never);
    return reply(want.phase === "auth" && !last ? 334 : 235);
  });
  expect(sent.slice(1)).toEqual(["*AUTH LOGIN", "*dQ==", "*cA=="]);
});

test("TLS that is not to be had now leaves an opportunistic session in clear and ends a strict one", () => {
  const respond = (want: Want): Happened => {
    if (want.want === "reply" && want.phase === "ehlo") return reply(250, "mx", "STARTTLS");
    return reply(want.want === "reply" && want.phase === "starttls" ? 454 : 220);
  };
  expect(play(options, respond).end).toMatchObject({ end: "ready", secured: false });
  expect(play({ ...options, encrypt: "always" }, respond).end).toMatchObject({
    end: "refused",
    phase: "starttls",
  });
});
