// The shape of the tables `[[dkim]]`. What is in the files of keys is known to another room; here a slip is told together with all
// others.
import type { Kind } from "./kinds.ts";

export interface DkimFile {
  /** In lower case, in A-labels. */
  readonly domain: string;
  readonly selector: string;
  readonly keyFile: string;
}

const KEYS_MAX = 1000;
const LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?";
const SELECTOR = new RegExp(`^(?=.{1,128}$)${LABEL}(\\.${LABEL})*$`, "i");
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})+$`, "i");
const NAMES = ["domain", "selector", "key_file"];

export const dkimFiles: Kind<readonly DkimFile[]> = {
  allowed:
    `up to ${KEYS_MAX} tables [[dkim]], each with domain (ASCII, such as example.com), ` +
    "selector (such as s1) and key_file (a path), and nothing else",
  parse(raw) {
    if (!Array.isArray(raw) || raw.length > KEYS_MAX) return undefined;
    const files = (raw as unknown[]).map(fileOf);
    return files.includes(undefined) ? undefined : (files as DkimFile[]);
  },
  show: (files) =>
    files.length === 0
      ? "none"
      : files
          .map(({ domain, selector, keyFile }) => `${domain}/${selector}: ${keyFile}`)
          .join("; "),
};

function fileOf(raw: unknown): DkimFile | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const table = raw as Readonly<Record<string, unknown>>;
  if (Object.keys(table).some((name) => !NAMES.includes(name))) return undefined;
  const { domain, selector, key_file: keyFile } = table;
  if (typeof domain !== "string" || !DOMAIN.test(domain)) return undefined;
  if (typeof selector !== "string" || !SELECTOR.test(selector)) return undefined;
  if (typeof keyFile !== "string" || keyFile === "" || keyFile.includes("\0")) return undefined;
  return { domain: domain.toLowerCase(), selector: selector.toLowerCase(), keyFile };
}
