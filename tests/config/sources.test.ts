import { describe, expect, test } from "bun:test";
import { parse } from "smol-toml";
import { senderTables, sourceTables } from "../../src/config/sources.ts";

const machine = {
  cores: 1,
  hostname: "h.test",
  fileLimit: 1,
  terminal: false,
  volumeBytes: 1,
};
const sources = (text: string) => parse(text)["source"];
const senders = (text: string) => parse(text)["senders"];

describe("[[source]]", () => {
  test("says an address, and what else is said of it", () => {
    const raw = sources(`
[[source]]
address = "192.0.2.1"
[[source]]
address = "2001:DB8::1"
ehlo = "Mail2.example.com"
weight = 3
warmup = true`);
    expect(sourceTables.parse(raw, machine)).toEqual([
      { address: "192.0.2.1", ehlo: null, weight: 1, warmup: false },
      { address: "2001:db8::1", ehlo: "mail2.example.com", weight: 3, warmup: true },
    ]);
  });

  test("every slip is told, each with its table", () => {
    const raw = sources(`
[[source]]
address = "192.0.2.300"
weight = 0
[[source]]
address = "192.0.2.1"
ehlo = "nodot"
warmup = "yes"
[[source]]
address = "192.0.2.1"
wieght = 1`);
    expect(sourceTables.parse(raw, machine)).toBeUndefined();
    expect(sourceTables.problems?.(raw)).toEqual([
      "[[source]] 1: address must be an IP address, such as 192.0.2.1 or 2001:db8::1",
      "[[source]] 1: weight must be a whole number from 1 to 1000",
      "[[source]] 2: ehlo must be a full host name, such as mail1.example.com",
      "[[source]] 2: warmup must be true or false",
      "[[source]] 3: no such key wieght: only address, ehlo, weight, warmup",
      "[[source]] 3: address 192.0.2.1 stands there twice",
    ]);
  });
});

describe("[senders]", () => {
  test("a sender domain has a relay, a source and a return path of its own", () => {
    const raw = senders(`
[senders."S.example"]
relay = "smtp://u:secret@192.0.2.9:587"
source = "192.0.2.1"
return_path = "bounces+{id}@s.example"`);
    const parsed = senderTables.parse(raw, machine);
    expect(parsed).toEqual([
      {
        domain: "s.example",
        relay: "smtp://u:secret@192.0.2.9:587",
        source: "192.0.2.1",
        returnPath: "bounces+{id}@s.example",
      },
    ]);
    expect(senderTables.show(parsed ?? [])).not.toContain("secret");
  });

  test("every slip is told, and never a password", () => {
    const raw = senders(`
[senders.local]
relay = "u:secret@host"
[senders."s.example"]
source = "eth0"
return_path = "bounces"
relays = "x"
[senders."t.example"]`);
    expect(senderTables.parse(raw, machine)).toBeUndefined();
    const problems = senderTables.problems?.(raw) ?? [];
    expect(problems.map((text) => text.slice(0, 40))).toEqual([
      '[senders."local"]: the name must be a ma',
      '[senders."local"]: relay must be smtp://',
      '[senders."s.example"]: no such key relay',
      '[senders."s.example"]: source must be th',
      '[senders."s.example"]: return_path must ',
      '[senders."t.example"]: says nothing',
    ]);
    expect(problems.join()).not.toContain("secret");
  });
});
