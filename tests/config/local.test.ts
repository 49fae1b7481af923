// The folders of what is local to this host.
import { expect, test } from "bun:test";
import { defaultRuntimeDir } from "../../src/config/localSettings.ts";

test("the folder of the sockets is systemd's where there is one", () => {
  expect(defaultRuntimeDir({})).toBe("/run/postrider");
  expect(defaultRuntimeDir({ RUNTIME_DIRECTORY: "" })).toBe("/run/postrider");
  expect(defaultRuntimeDir({ RUNTIME_DIRECTORY: "/run/a:/run/b" })).toBe("/run/a");
});
