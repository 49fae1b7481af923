// The shapes of the tables `[[source]]` and `[senders."s.example"]`: each slip is told by itself, together with all others.
import { ipFamily } from "../base/cidr.ts";
import type { Kind } from "./kinds.ts";
import { isRelayList, maskUrls } from "./relay.ts";

export interface SourceTable {
  /** Without brackets. */
  readonly address: string;
  /** Null: `hostname`. */
  readonly ehlo: string | null;
  readonly weight: number;
  readonly warmup: boolean;
}

export interface SenderTable {
  /** In lower case, in A-labels. */
  readonly domain: string;
  readonly relay: string | null;
  /** The address of a `[[source]]`. */
  readonly source: string | null;
  readonly returnPath: string | null;
}

const SOURCES_MAX = 256;
const SENDERS_MAX = 1000;
const WEIGHT_MAX = 1000;
const LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?";
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})+$`, "i");
const MAILBOX = new RegExp(
  `^[a-z0-9!#$%&'*+/=?^_\`{|}~.-]{1,64}@(?=.{1,253}$)${LABEL}(\\.${LABEL})+$`,
  "i",
);

type Table = Readonly<Record<string, unknown>>;

export const sourceTables: Kind<readonly SourceTable[]> = {
  allowed: `up to ${SOURCES_MAX} tables [[source]], each with address, ehlo, weight, warmup`,
  parse: (raw) => (faultsOfSources(raw).length > 0 ? undefined : (raw as Table[]).map(sourceOf)),
  problems: faultsOfSources,
  show: (sources) => (sources.length === 0 ? "none" : sources.map(showSource).join("; ")),
};

function sourceOf({ address, ehlo, weight, warmup }: Table): SourceTable {
  return {
    address: String(address).toLowerCase(),
    ehlo: typeof ehlo === "string" ? ehlo.toLowerCase() : null,
    weight: typeof weight === "number" ? weight : 1,
    warmup: warmup === true,
  };
}

function showSource({ address, ehlo, weight, warmup }: SourceTable): string {
  const name = ehlo === null ? "" : ` as ${ehlo}`;
  return `${address}${name}, weight ${weight}${warmup ? ", warming up" : ""}`;
}

function faultsOfSources(raw: unknown): string[] {
  if (!Array.isArray(raw)) return ["source must be tables: [[source]]"];
  const tables = raw as unknown[];
  if (tables.length > SOURCES_MAX) return [`more than ${SOURCES_MAX} tables [[source]]`];
  const seen = new Set<unknown>();
  return tables.flatMap((table, i) => {
    const where = `[[source]] ${i + 1}: `;
    if (!isTable(table)) return [`${where}not a table`];
    const { address, ehlo, weight, warmup } = table;
    const faults = unknownKeys(table, ["address", "ehlo", "weight", "warmup"]);
    if (typeof address !== "string" || ipFamily(address) === 0)
      faults.push("address must be an IP address, such as 192.0.2.1 or 2001:db8::1");
    else if (seen.has(address.toLowerCase())) faults.push(`address ${address} stands there twice`);
    else seen.add(address.toLowerCase());
    if (ehlo !== undefined && !(typeof ehlo === "string" && DOMAIN.test(ehlo)))
      faults.push("ehlo must be a full host name, such as mail1.example.com");
    if (weight !== undefined && !isWeight(weight))
      faults.push(`weight must be a whole number from 1 to ${WEIGHT_MAX}`);
    if (warmup !== undefined && typeof warmup !== "boolean")
      faults.push("warmup must be true or false");
    return faults.map((fault) => where + fault);
  });
}

const isWeight = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= WEIGHT_MAX;

export const senderTables: Kind<readonly SenderTable[]> = {
  allowed: `up to ${SENDERS_MAX} tables [senders."s.example"], each with relay, source, return_path`,
  parse: (raw) =>
    faultsOfSenders(raw).length > 0
      ? undefined
      : Object.entries(raw as Record<string, Table>).map(([domain, table]) =>
          senderOf(domain, table),
        ),
  problems: faultsOfSenders,
  show: (senders) => (senders.length === 0 ? "none" : senders.map(showSender).join("; ")),
};

function senderOf(domain: string, table: Table): SenderTable {
  const { relay, source, return_path: returnPath } = table;
  const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
  return {
    domain: domain.toLowerCase(),
    relay: textOf(relay),
    source: textOf(source)?.toLowerCase() ?? null,
    returnPath: textOf(returnPath),
  };
}

function showSender({ domain, relay, source, returnPath }: SenderTable): string {
  const parts = [
    relay === null ? "" : `relay ${maskUrls(relay)}`,
    source === null ? "" : `source ${source}`,
    returnPath === null ? "" : `return_path ${returnPath}`,
  ];
  return `${domain}: ${parts.filter((part) => part !== "").join(", ")}`;
}

function faultsOfSenders(raw: unknown): string[] {
  if (!isTable(raw)) return ['senders must be tables: [senders."s.example"]'];
  const entries = Object.entries(raw);
  if (entries.length > SENDERS_MAX) return [`more than ${SENDERS_MAX} tables [senders]`];
  return entries.flatMap(([domain, table]) => {
    const where = `[senders."${domain}"]: `;
    if (!isTable(table)) return [`${where}not a table`];
    const { relay, source, return_path: returnPath } = table;
    const faults = unknownKeys(table, ["relay", "source", "return_path"]);
    if (!DOMAIN.test(domain)) faults.push("the name must be a mail domain, such as example.com");
    if (Object.keys(table).length === 0) faults.push("says nothing");
    if (relay !== undefined && !(typeof relay === "string" && isRelayList(relay)))
      faults.push("relay must be smtp://user:pass@host:587?tls=required or the like");
    if (source !== undefined && !(typeof source === "string" && ipFamily(source) !== 0))
      faults.push("source must be the address of a [[source]]");
    if (returnPath !== undefined && !(typeof returnPath === "string" && isReturnPath(returnPath)))
      faults.push("return_path must be an address, in which {id} is replaced by the message's id");
    return faults.map((fault) => where + fault);
  });
}

/** With room for the id in the place of `{id}`. */
function isReturnPath(text: string): boolean {
  return MAILBOX.test(text.replaceAll("{id}", "0".repeat(36)));
}

function unknownKeys(table: Table, known: readonly string[]): string[] {
  return Object.keys(table)
    .filter((key) => !known.includes(key))
    .map((key) => `no such key ${key}: only ${known.join(", ")}`);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
