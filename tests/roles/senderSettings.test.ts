import { expect, test } from "bun:test";
import { loadConfig, type Config } from "../../src/config.ts";
import { routerSettings, sourceSettings } from "../../src/roles/settings.ts";

function configOf(toml: string): Config {
  const loaded = loadConfig({
    flags: {},
    env: {},
    cwd: "/",
    home: "/",
    machine: { cores: 1, hostname: "h.test", fileLimit: 1024, terminal: false },
    readFile: (path) => (path === "/etc/postrider/postrider.toml" ? toml : undefined),
    volumeBytes: () => 1e9,
    relayProblems: () => [],
    keyFaults: () => ({ problems: [], warnings: [] }),
  });
  if (loaded.kind === "bad") throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

test("this host is known by its name, by those of its addresses to send from, and by these", () => {
  const own = routerSettings(
    configOf(`
[[source]]
address = "198.51.100.9"
ehlo = "Mail9.h.test"`),
  ).own;
  expect(own?.names).toEqual(["h.test", "mail9.h.test"]);
  expect(own?.addresses.some(({ text }) => text === "198.51.100.9")).toBe(true);
  const allowed = configOf(`deny_destinations = ["127.0.0.0/8"]`);
  expect(routerSettings(allowed).own).toEqual({ names: [], addresses: [] });
});

test("a sender is known by the domain of its return path too, unless that is another sender", () => {
  const config = configOf(`
[[source]]
address = "192.0.2.1"
[senders."s.test"]
relay = "smtp://192.0.2.9"
source = "192.0.2.1"
return_path = "{id}@bounces.test"
[senders."t.test"]
relay = "smtp://192.0.2.8"
return_path = "b@s.test"`);
  const relays = routerSettings(config).senderRelays ?? new Map();
  expect([...relays].map(([domain, [first]]) => [domain, first?.host])).toEqual([
    ["s.test", "192.0.2.9"],
    ["bounces.test", "192.0.2.9"],
    ["t.test", "192.0.2.8"],
  ]);
  expect([...sourceSettings(config).bySender]).toEqual([
    ["s.test", "192.0.2.1"],
    ["bounces.test", "192.0.2.1"],
  ]);
});
