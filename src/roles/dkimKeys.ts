// The keys that the settings name: their files read and judged once for `config check` and at the start, and again at a reload.
import { readFileSync, statSync } from "node:fs";
import type { KeyFaults } from "../config/machine.ts";
import type { Config } from "../config.ts";
import { type DkimKey, readKey, RSA_BITS_GOOD } from "../mail/dkim/key.ts";

type DkimFile = Config["dkim"][number];

/** Whom a file may be open to besides its owner: its group, as a service manager hands out credentials. */
const OTHERS = 0o007;

type Loaded =
  | { readonly kind: "key"; readonly key: DkimKey; readonly warning: string | null }
  | { readonly kind: "problem"; readonly text: string };

export function keyFaults(files: readonly DkimFile[]): KeyFaults {
  const problems: string[] = [];
  const warnings: string[] = [];
  const seen = new Set<string>();
  for (const file of files) {
    const name = nameOf(file);
    if (seen.has(name)) problems.push(`${name} is there twice`);
    seen.add(name);
    const loaded = load(file);
    if (loaded.kind === "problem") problems.push(loaded.text);
    else if (loaded.warning !== null) warnings.push(loaded.warning);
  }
  return { problems, warnings };
}

/** A file that was changed for the worse since it was judged is left out; `failed` is told. */
export function settingsKeys(
  files: readonly DkimFile[],
  failed: (text: string) => void,
): readonly DkimKey[] {
  const keys: DkimKey[] = [];
  for (const file of files) {
    const loaded = load(file);
    if (loaded.kind === "key") keys.push(loaded.key);
    else failed(loaded.text);
  }
  return keys;
}

function load(file: DkimFile): Loaded {
  const { domain, selector, keyFile } = file;
  let pem: string;
  try {
    if ((statSync(keyFile).mode & OTHERS) !== 0)
      return fault(file, "every user may read it (chmod 600)");
    pem = readFileSync(keyFile, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return fault(file, code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`);
  }
  const read = readKey(pem);
  if (read.kind === "unusable") return fault(file, read.why);
  const short = read.algorithm === "rsa-sha256" && read.bits < RSA_BITS_GOOD;
  const warning = `dkim ${nameOf(file)}: ${read.bits} bits are few; make a key of ${RSA_BITS_GOOD}`;
  return { kind: "key", key: { domain, selector, pem }, warning: short ? warning : null };
}

function fault(file: DkimFile, why: string): Loaded {
  return { kind: "problem", text: `${nameOf(file)}: ${file.keyFile}: ${why}` };
}

function nameOf({ domain, selector }: DkimFile): string {
  return `${domain}/${selector}`;
}
