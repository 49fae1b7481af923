// Where the daemon is found: by programs of any user, who may read little of its settings.
import { expect, test } from "bun:test";
import { type LoadInput, loadFolders } from "../../src/config.ts";

const ETC = "/etc/postrider/postrider.toml";
const CLOSED = Symbol("only for the daemon");

function load(
  files: Readonly<Record<string, string | typeof CLOSED>>,
  more: Partial<LoadInput> = {},
) {
  return loadFolders({
    flags: {},
    env: {},
    cwd: "/work",
    home: "/home/me",
    machine: { cores: 4, hostname: "mail.shop.example", fileLimit: 1024, terminal: false },
    readFile(path) {
      const found = files[path];
      if (found === CLOSED) throw new Error("EACCES");
      return found;
    },
    volumeBytes: () => 100e9,
    relayProblems: () => ["no relay is good"],
    keyFaults: () => ({ problems: ["no key is good"], warnings: [] }),
    ...more,
  });
}

const usual = {
  dataDir: "/home/me/.local/share/postrider",
  runtimeDir: "/run/postrider",
  pickupDir: "/var/spool/postrider",
  hostname: "mail.shop.example",
};

test("secrets that are not ours to read, and settings that are not ours to judge, do not matter", () => {
  const file = [
    'data_dir = "/srv/mail"',
    'api_key_file = "/etc/postrider/key"',
    'relay_file = "/etc/postrider/relay"',
    'tls_cert = "/etc/ssl/mail.crt"',
    'tls_key = "/etc/ssl/mail.key"',
    'workers = "many"',
    'liste = "a slip"',
    '[[dkim]]\ndomain = "s.example"\nselector = "a"\nkey_file = "/etc/postrider/dkim.key"',
  ].join("\n");
  expect(load({ [ETC]: file, "/etc/postrider/key": CLOSED, "/etc/ssl/mail.key": CLOSED })).toEqual({
    kind: "ok",
    folders: { ...usual, dataDir: "/srv/mail" },
  });
});

test("settings that may not be read are as if they were not there", () => {
  const files = { [ETC]: CLOSED, "/home/me/.config/postrider/postrider.toml": CLOSED } as const;
  expect(load({ ...files, "/work/.env": CLOSED })).toEqual({ kind: "ok", folders: usual });
});

test("what is wrong with where the daemon is said to be is told", () => {
  const told = (files: Parameters<typeof load>[0], more?: Partial<LoadInput>) => {
    const loaded = load(files, more);
    return loaded.kind === "bad" ? loaded.problems.map(({ setting }) => setting) : [];
  };
  expect(told({ [ETC]: "data_dir = " })).toEqual([ETC]);
  expect(told({ [ETC]: "runtime_dir = 5" })).toEqual(["runtime_dir"]);
  expect(told({ "/x.toml": CLOSED }, { flags: { config: "/x.toml" } })).toEqual(["config"]);
  expect(told({}, { env: { POSTRIDER_CONFIG: "/none.toml" } })).toEqual(["config"]);
});
