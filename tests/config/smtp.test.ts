// The settings of the SMTP listener: where no client could log in, it is said at once.
import { describe, expect, test } from "bun:test";
import { smtpContradictions, smtpSettings } from "../../src/config/smtpSettings.ts";
import type { Machine } from "../../src/config/machine.ts";

const machine = {} as Machine;
const isLoopback = (host: string): boolean => host.startsWith("127.");
const local = { host: "127.0.0.1", port: 2587 };
const open = { host: "0.0.0.0", port: 587 };
const settingsOf = (given: Parameters<typeof smtpContradictions>[0]): readonly string[] =>
  smtpContradictions(given, isLoopback).map(({ setting }) => setting);

describe("where no client could log in:", () => {
  const cases = [
    [{ smtpListen: null, smtpTlsListen: null, tlsCert: null }, []],
    [{ smtpListen: local, tlsCert: null }, []],
    [{ smtpListen: open, tlsCert: null }, ["smtpListen"]],
    [{ smtpTlsListen: local, tlsCert: null }, ["smtpTlsListen"]],
    [{ smtpListen: open, smtpTlsListen: open, tlsCert: null }, ["smtpListen", "smtpTlsListen"]],
    [{ smtpListen: open, smtpTlsListen: open, tlsCert: "/etc/cert.pem" }, []],
  ] as const;
  for (const [given, faults] of cases)
    test(JSON.stringify(given), () => expect(settingsOf(given)).toEqual(faults));
});

test("an address or none", () => {
  const read = (raw: unknown) => smtpSettings.smtpListen.kind.parse(raw, machine);
  expect(read("[::1]:2587")).toEqual({ host: "::1", port: 2587 });
  expect(read("none")).toBeNull();
  expect([read("2587"), read("127.0.0.1:70000"), read(25)]).toEqual(
    Array.from({ length: 3 }, () => undefined),
  );
});
