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
  allowed: `up to ${KEYS_MAX} tables [[dkim]], each with domain, selector, key_file`,
  parse: (raw) => (faultsOf(raw).length > 0 ? undefined : (raw as Table[]).map(fileOf)),
  problems: faultsOf,
  show: (files) => (files.length === 0 ? "none" : files.map(showFile).join("; ")),
};

type Table = Readonly<Record<string, unknown>>;

function fileOf({ domain, selector, key_file: keyFile }: Table): DkimFile {
  return {
    domain: String(domain).toLowerCase(),
    selector: String(selector).toLowerCase(),
    keyFile: String(keyFile),
  };
}

function showFile({ domain, selector, keyFile }: DkimFile): string {
  return `${domain}/${selector}: ${keyFile}`;
}

function faultsOf(raw: unknown): string[] {
  if (!Array.isArray(raw)) return ["dkim must be tables: [[dkim]]"];
  const tables = raw as unknown[];
  if (tables.length > KEYS_MAX) return [`more than ${KEYS_MAX} tables [[dkim]]`];
  return tables.flatMap((table, i) => {
    const where = `[[dkim]] ${i + 1}: `;
    if (typeof table !== "object" || table === null) return [`${where}not a table`];
    const { domain, selector, key_file: keyFile } = table as Table;
    const faults = Object.keys(table)
      .filter((name) => !NAMES.includes(name))
      .map((name) => `${name} is no key here`);
    if (typeof domain !== "string" || !DOMAIN.test(domain))
      faults.push("domain must be a mail domain in ASCII, such as example.com");
    if (typeof selector !== "string" || !SELECTOR.test(selector))
      faults.push("selector must be a name in the DNS, such as s1");
    if (typeof keyFile !== "string" || keyFile === "" || keyFile.includes("\0"))
      faults.push("key_file must be a path");
    return faults.map((fault) => where + fault);
  });
}
