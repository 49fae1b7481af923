import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keyFaults, settingsKeys } from "../../src/roles/dkimKeys.ts";
import * as rfc from "../mail/dkim/rfc8463.ts";

const root = mkdtempSync(join(tmpdir(), "postrider-keys-"));
afterAll(() => rmSync(root, { recursive: true }));

function file(selector: string, text: string, mode = 0o600) {
  const keyFile = join(root, `${selector}.pem`);
  writeFileSync(keyFile, text);
  chmodSync(keyFile, mode);
  return { domain: "a.example", selector, keyFile };
}

test("good keys are no fault, and short ones a warning", () => {
  const files = [file("ed", rfc.edPem), file("group", rfc.edPem, 0o640), file("rsa", rfc.rsaPem)];
  const { problems, warnings } = keyFaults(files);
  expect(problems).toEqual([]);
  expect(warnings).toEqual(["dkim a.example/rsa: 1024 bits are few; make a key of 2048"]);
});

test("every fault of every file is told", () => {
  const good = file("twice", rfc.edPem);
  const { problems } = keyFaults([
    good,
    good,
    file("open", rfc.edPem, 0o644),
    file("text", "no key"),
    { domain: "a.example", selector: "gone", keyFile: join(root, "gone.pem") },
    { domain: "a.example", selector: "folder", keyFile: root },
  ]);
  expect(problems.map((text) => text.replaceAll(root, "."))).toEqual([
    "a.example/twice is there twice",
    "a.example/open: ./open.pem: every user may read it (chmod 600)",
    "a.example/text: ./text.pem: it is no private key in PEM form (PKCS#8 or PKCS#1)",
    "a.example/gone: ./gone.pem: there is no such file",
    "a.example/folder: .: it cannot be read (EISDIR)",
  ]);
});

test("a file that was spoiled since it was judged is left out and told", () => {
  const told: string[] = [];
  const keys = settingsKeys([file("ok", rfc.edPem), file("bad", "")], (text) => told.push(text));
  expect(keys.map((key) => key.selector)).toEqual(["ok"]);
  expect(told).toHaveLength(1);
});
