import { describe, expect, test } from "bun:test";
import {
  type LoadInput,
  type LoadedConfig,
  type Problem,
  loadConfig,
  problemLine,
  scalarNames,
  shownSettings,
} from "../../src/config.ts";
import { defaultRetry } from "../../src/queue/retry.ts";
import { rfcDeadlines } from "../../src/smtp/phases.ts";

interface Given {
  readonly flags?: LoadInput["flags"];
  readonly env?: LoadInput["env"];
  readonly files?: Readonly<Record<string, string>>;
  readonly relayProblems?: LoadInput["relayProblems"];
  readonly keyFaults?: LoadInput["keyFaults"];
}

function load({
  flags = {},
  env = {},
  files = {},
  relayProblems = () => [],
  keyFaults = () => ({ problems: [], warnings: [] }),
}: Given = {}): LoadedConfig {
  return loadConfig({
    flags,
    env,
    cwd: "/work",
    home: "/home/me",
    machine: { cores: 4, hostname: "mail.shop.example", fileLimit: 1024, terminal: false },
    readFile: (path) => files[path],
    volumeBytes: () => 100e9,
    relayProblems,
    keyFaults,
  });
}

function good(given?: Given): Extract<LoadedConfig, { kind: "ok" }> {
  const loaded = load(given);
  if (loaded.kind === "bad") throw new Error(loaded.problems.map(problemLine).join("\n"));
  return loaded;
}

function problemsOf(given: Given): readonly Problem[] {
  const loaded = load(given);
  return loaded.kind === "bad" ? loaded.problems : [];
}

const ETC = "/etc/postrider/postrider.toml";

describe("defaults", () => {
  test("nothing needs to be set", () => {
    const { config, file, warnings } = good();
    expect(file).toBeNull();
    expect(warnings).toEqual([]);
    expect(config.listen).toEqual({ host: "127.0.0.1", port: 8250 });
    expect(config.dataDir).toBe("/home/me/.local/share/postrider");
    expect(config.workers).toBe(4);
    expect(config.maxConnections).toBe(512);
    expect(config.queueMaxBytes).toBe(50e9);
    expect(config.diskReserveBytes).toBe(512e6);
    expect(config.logFormat).toBe("json");
    expect(config.apiKey).toBeNull();
  });

  test("the retry schedule is the one that the queue is tested with", () => {
    const { config } = good();
    expect(config.retryStepsMs).toEqual(defaultRetry.map((lane) => lane.stepsMs) as never);
    expect(config.timeoutsMs).toMatchObject({
      greeting: rfcDeadlines.greeting,
      dot: rfcDeadlines.dot,
    });
    expect(config.lifetimeMs).toEqual(defaultRetry.map((lane) => lane.lifetimeMs) as never);
  });

  test("the data folder follows systemd, then XDG", () => {
    const env = { STATE_DIRECTORY: "/var/lib/postrider", XDG_DATA_HOME: "/data" };
    expect(good({ env }).config.dataDir).toBe("/var/lib/postrider");
    expect(good({ env: { XDG_DATA_HOME: "/data" } }).config.dataDir).toBe("/data/postrider");
  });

  test("every default can be written as it is shown and means the same", () => {
    const { config, origins } = good();
    const shown = shownSettings(config, origins).filter(({ name }) => scalarNames.includes(name));
    const flags = Object.fromEntries(shown.map(({ name, value }) => [name, value]));
    expect(good({ flags }).config).toEqual(config);
  });

  test("a config survives the way to another thread", () => {
    const { config } = good();
    expect(structuredClone(config)).toEqual(config);
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });
});

describe("precedence", () => {
  const files = { [ETC]: "workers = 5\nsmtp_port = 5\nmax_batch = 5\nmax_recipients = 5" };
  const dotenv = { "/work/.env": "POSTRIDER_SMTP_PORT=4\nPOSTRIDER_MAX_BATCH=4\n" };
  const env = { POSTRIDER_MAX_BATCH: "3", POSTRIDER_WORKERS: "3" };

  test("flag beats environment beats .env beats file beats default", () => {
    const given = { flags: { workers: "2" }, env, files: { ...files, ...dotenv } };
    const { config, origins, file } = good(given);
    expect([config.workers, config.maxBatch, config.smtpPort, config.maxRecipients]).toEqual([
      2, 3, 4, 5,
    ]);
    expect(origins.workers.text).toBe("flag --workers");
    expect(origins.maxBatch.text).toBe("environment POSTRIDER_MAX_BATCH");
    expect(origins.smtpPort.text).toBe(".env POSTRIDER_SMTP_PORT");
    expect(origins.maxRecipients.text).toBe(`file ${ETC}`);
    expect(origins.listen.text).toBe("default");
    expect(file).toBe(ETC);
  });

  test("a named file replaces the usual ones, and must be there", () => {
    const named = { "/work/my.toml": "workers = 7", ...files };
    expect(good({ flags: { config: "my.toml" }, files: named }).config.workers).toBe(7);
    expect(good({ env: { POSTRIDER_CONFIG: "my.toml" }, files: named }).config.workers).toBe(7);
    expect(problemsOf({ flags: { config: "other.toml" } })).toMatchObject([
      { setting: "config", found: "other.toml" },
    ]);
  });

  test("the user's file is taken before the system's", () => {
    const own = { "/home/me/.config/postrider/postrider.toml": "workers = 6", ...files };
    expect(good({ files: own }).config.workers).toBe(6);
  });
});

describe("problems", () => {
  test("all are told at once: setting, where from, what was found, what is allowed", () => {
    const lines = problemsOf({
      flags: { listen: "8250", worker: "2" },
      env: { POSTRIDER_DNS_TIMEOUT: "soon", BUN_OPTIONS: "--preload x" },
      files: { [ETC]: 'workers = 1000\nlog_levle = "info"\n[retry]\np1 = ["1m", "later"]\n' },
    }).map(problemLine);
    expect(lines).toHaveLength(7);
    const all = lines.join("\n");
    expect(all).toContain("BUN_OPTIONS (environment): found --preload x; allowed: not set");
    expect(all).toContain(
      "--worker (flag): found 2; allowed: no such flag; did you mean --workers?",
    );
    expect(all).toContain("no such setting; did you mean log_level?");
    expect(all).toContain("listen (flag --listen): found 8250; allowed: an address and a port");
    expect(all).toContain("dns_timeout (environment POSTRIDER_DNS_TIMEOUT): found soon");
    expect(all).toContain(
      `workers (file ${ETC}): found 1000; allowed: a whole number from 1 to 64`,
    );
    expect(all).toContain(`retry (file ${ETC})`);
  });

  test("a broken file is told with its place", () => {
    const [problem] = problemsOf({ files: { [ETC]: "workers = 4\nlisten = \n" } });
    expect(problem?.setting).toBe(ETC);
    expect(problem?.found).toContain("line 2");
  });

  test("a public address needs insecure_http", () => {
    expect(problemsOf({ flags: { listen: "0.0.0.0:8250" } })[0]?.allowed).toContain(
      "insecure_http",
    );
    const flags = { listen: "0.0.0.0:8250", insecure_http: "true" };
    expect(good({ flags }).config.listen.host).toBe("0.0.0.0");
    expect(good({ flags: { listen: "[::1]:0" } }).config.listen).toEqual({ host: "::1", port: 0 });
  });

  test("a hostname without a domain warns", () => {
    expect(good({ flags: { hostname: "box" } }).warnings[0]).toContain("address literal");
  });
});

describe("variables that are no settings", () => {
  test("a mistyped one warns, Kubernetes' service links are ignored", () => {
    const env = {
      POSTRIDER_WORKRES: "2",
      POSTRIDER_PORT: "tcp://10.0.0.1:8250",
      POSTRIDER_SMTP_PORT: "tcp://10.0.0.1:25",
      POSTRIDER_SERVICE_HOST: "10.0.0.1",
      POSTRIDER_SERVICE_PORT_HTTP: "8250",
      POSTRIDER_PORT_8250_TCP_ADDR: "10.0.0.1",
      POSTRIDER_URL: "http://127.0.0.1:8250",
    };
    const { warnings, config } = good({ env });
    expect(warnings).toEqual([
      "POSTRIDER_WORKRES (environment) is no setting; did you mean POSTRIDER_WORKERS?",
    ]);
    expect(config.smtpPort).toBe(25);
  });
});

describe("secrets", () => {
  const key = "k".repeat(20);

  test("come from a file or a credential too", () => {
    const files = { "/run/key": `${key}\n`, "/cred/api_key": `${key}2\n` };
    expect(good({ flags: { api_key_file: "/run/key" }, files }).config.apiKey).toBe(key);
    const credential = good({ env: { CREDENTIALS_DIRECTORY: "/cred" }, files });
    expect(credential.config.apiKey).toBe(`${key}2`);
    expect(credential.origins.apiKey.text).toBe("credential api_key");
  });

  test("a file that is not there, and two spellings at once, are problems", () => {
    const env = { POSTRIDER_API_KEY: key, POSTRIDER_API_KEY_FILE: "/run/key" };
    expect(problemsOf({ env, files: { "/run/key": key } })[0]?.allowed).toBe("one of the two");
    expect(problemsOf({ flags: { api_key_file: "/gone" } })[0]?.found).toBe("/gone");
  });

  test("are never shown", () => {
    const relay = "smtp://user:hunter2@relay.example:587?tls=required";
    const { config, origins } = good({ flags: { api_key: key, relay } });
    const shown = JSON.stringify(shownSettings(config, origins));
    expect(shown).not.toContain(key);
    expect(shown).not.toContain("hunter2");
    expect(shown).toContain("smtp://user:***@relay.example:587?tls=required");
    const found = problemsOf({
      flags: { api_key: "short", relay: "http://user:hunter2@relay.example" },
      files: { [ETC]: 'api_kye = "hunter2"' },
    });
    expect(found).toHaveLength(3);
    expect(JSON.stringify(found)).not.toMatch(/hunter2|short"/);
  });
});

test.each([
  ["relay", "smtp://user:hun,ter 2/hun@ter2@host:99999", "smtp://user:***@host:99999"],
  ["relay", "smtp://a:hunter2@x, http://b:hunter2@y", "smtp://a:***@x, http://b:***@y"],
  ["otlp_endpoint", "http://user:hunter2@otlp.example", "http://user:***@otlp.example"],
  [
    "otlp_endpoint",
    "https://otlp.example/v1?api-key=hunter2",
    "https://otlp.example/v1?api-key=***",
  ],
])("a secret in a wrong %s is not repeated: %s", (name, raw, found) => {
  expect(problemsOf({ flags: { [name]: raw } }).map((one) => one.found)).toEqual([found]);
});

test("what is wrong with a relay is told with all other problems, and its password is not", () => {
  const loaded = load({
    flags: { relay: "smtps://user:secret@host:465?tls=off", workers: "0" },
    relayProblems: () => ["relay 1: smtps is TLS from the first byte"],
  });
  if (loaded.kind === "ok") throw new Error("it was taken");
  expect(loaded.problems.map((one) => one.setting).sort()).toEqual(["relay", "workers"]);
  const relay = loaded.problems.find((one) => one.setting === "relay");
  expect(relay?.allowed).toContain("TLS from the first byte");
  expect(relay?.found).not.toContain("secret");
});

describe("tables of keys", () => {
  const table = (text: string): Given => ({ files: { [ETC]: `[[dkim]]\n${text}` } });
  const key = 'domain = "Shop.example"\nselector = "s1"\nkey_file = "keys/s1.pem"';

  test("several are read, names in lower case, files from the working directory", () => {
    const { config } = good(table(`${key}\n[[dkim]]\n${key.replace("s1", "S2")}`));
    expect(config.dkim).toEqual([
      { domain: "shop.example", selector: "s1", keyFile: "/work/keys/s1.pem" },
      { domain: "shop.example", selector: "s2", keyFile: "/work/keys/s1.pem" },
    ]);
  });

  test("whatever is wrong in any table is told at once", () => {
    const text = [
      'domain = "a.example"',
      "[[dkim]]",
      `${key}\nkey = "x"`,
      "[[dkim]]",
      key.replace("s1", "s 1").replace("Shop.example", "shop"),
    ].join("\n");
    expect(problemsOf(table(text)).map((one) => one.found)).toEqual([
      "[[dkim]] 1: selector must be a name in the DNS, such as s1",
      "[[dkim]] 1: key_file must be a path",
      "[[dkim]] 2: key is no key here",
      "[[dkim]] 3: domain must be a mail domain in ASCII, such as example.com",
      "[[dkim]] 3: selector must be a name in the DNS, such as s1",
    ]);
    expect(problemsOf({ files: { [ETC]: "dkim = 1" } }).map((one) => one.setting)).toEqual([
      "dkim",
    ]);
  });

  test("what is wrong with a file is told with all other problems", () => {
    const keyFaults = () => ({ problems: ["x.pem: there is no such file"], warnings: ["short"] });
    const problems = problemsOf({ ...table(key), keyFaults, flags: { workers: "none" } });
    expect(problems.map(problemLine).join("\n")).toContain("x.pem: there is no such file");
    expect(problems).toHaveLength(2);
    const { warnings } = good({
      ...table(key),
      keyFaults: () => ({ problems: [], warnings: ["short"] }),
    });
    expect(warnings).toContain("short");
  });
});
