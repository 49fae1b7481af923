import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseRelays, type Relay } from "../../src/route/relay.ts";

function one(text: string): Relay {
  const parsed = parseRelays(text);
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  const [relay] = parsed.value;
  if (relay === undefined) throw new Error("no relay");
  return relay;
}

describe("a relay", () => {
  test("has host, port, login and policy", () => {
    expect(one("smtp://us%40er:p%3Ass@Mail.Example:2525?tls=verify")).toEqual({
      host: "mail.example",
      port: 2525,
      tls: "verify",
      implicitTls: false,
      login: { user: "us@er", pass: "p:ss" },
    });
  });

  test("may name the mechanism of its login", () => {
    const { login } = one("smtp://u:token@a.test:587?auth=xoauth2");
    expect(login).toEqual({ user: "u", pass: "token", mechanism: "XOAUTH2" });
    const faultOf = (text: string) => {
      const parsed = parseRelays(text);
      return parsed.kind === "refused" ? parsed.problems[0] : "none";
    };
    expect(faultOf("smtp://u:p@a.test?auth=ntlm")).toContain("auth must be one of scram-sha-256");
    expect(faultOf("smtp://a.test?auth=plain")).toContain("a user and a password");
  });

  test("is spoken to by the defaults of its scheme and port", () => {
    const facts = (text: string) => {
      const { port, tls, implicitTls } = one(text);
      return `${port} ${tls}${implicitTls ? " implicit" : ""}`;
    };
    expect(facts("smtp://a.test")).toBe("25 opportunistic");
    expect(facts("smtp://a.test:587")).toBe("587 required");
    expect(facts("smtp://u:p@a.test:587?tls=off")).toBe("587 off");
    expect(facts("smtp://127.0.0.1:587")).toBe("587 opportunistic");
    expect(facts("smtp://[::1]:587")).toBe("587 opportunistic");
    expect(facts("smtp://localhost:2525")).toBe("2525 opportunistic");
    expect(facts("smtp://a.test:2525")).toBe("2525 opportunistic");
    expect(facts("smtp://u:p@a.test:2525")).toBe("2525 required");
    expect(facts("smtps://a.test")).toBe("465 required implicit");
    expect(facts("smtps://a.test:8465?tls=verify")).toBe("8465 verify implicit");
  });

  test("may be an address of either family", () => {
    expect(one("smtp://192.0.2.1:25").host).toBe("192.0.2.1");
    expect(one("smtp://[2001:DB8::1]:25").host).toBe("2001:db8::1");
  });
});

describe("the setting relay", () => {
  test("keeps several in order; empty and none mean the MX", () => {
    const parsed = parseRelays("smtp://a.test, smtps://b.test , smtp://c.test:587");
    expect(parsed.kind === "parsed" && parsed.value.map((relay) => relay.host)).toEqual([
      "a.test",
      "b.test",
      "c.test",
    ]);
    expect(parseRelays("")).toEqual({ kind: "parsed", value: [] });
    expect(parseRelays(" none ")).toEqual({ kind: "parsed", value: [] });
  });

  test("knows what is not there yet, and says so without the key", () => {
    const parsed = parseRelays("https://KEY@hub.example:8250");
    expect(parsed.kind === "refused" && parsed.problems).toEqual([
      "relay 1: a relay over https:// (another Postrider) is not there yet; use smtp or smtps",
    ]);
  });

  test("tells every fault at once, and never the password", () => {
    const parsed = parseRelays(
      [
        "mail.example:25",
        "http://a.test",
        "smtp://",
        "smtp://a.test/path",
        "smtp://a.test?tls=maybe",
        "smtp://a.test?starttls=1",
        "smtp://u@a.test",
        "smtp://u:%ff@a.test",
        "smtps://a.test?tls=off",
        "smtp://a.test:0",
        "smtp://a..test",
        "smtp://u:secret@a.test:99999",
        "smtp://999.1.1.1",
      ].join(","),
    );
    if (parsed.kind === "parsed") throw new Error("all of them are wrong");
    expect(parsed.problems.length).toBe(13);
    expect(parsed.problems.join(" ")).not.toContain("secret");
    expect(parsed.problems[0]).toStartWith("relay 1: ");
  });

  test("no text makes it throw", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.string().map((text) => `smtp://${text}`),
    );
    fc.assert(
      fc.property(texts, (text) => void parseRelays(text)),
      { numRuns: 1_000 },
    );
  });
});
