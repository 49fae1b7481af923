// What can be done to sender domains. One thing at a time: two requests for the same domain must not both make it.
import { createHash, generateKeyPair } from "node:crypto";
import { type Clock, iso } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { parseAddress } from "../mail/address.ts";
import {
  type DkimKey,
  type ReadKey,
  readKey,
  RSA_BITS_GOOD,
  type SigningKey,
} from "../mail/dkim/key.ts";
import type { DomainAnswer, DomainKey, DomainRecord, Domains, DomainView } from "../mail/domain.ts";
import { hostTag, IDS_PER_MS, uuidOf } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import type { BookedDomain, Book, BookedKey } from "./book.ts";
import { checkRecords, type Look, overall } from "./check.ts";
import { type Origin, wantedRecords } from "./records.ts";

export interface DeskDeps {
  readonly book: Book;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "bytes">;
  /** Those that the settings name at this moment. */
  readonly settingsKeys: () => readonly DkimKey[];
  /** Where the mail of this domain leaves. */
  readonly origin: (domain: string) => Origin;
  /** A way to ask the DNS, of use until `close`. */
  readonly openDns: () => { readonly look: Look; close(): void };
  /** Resolves once everything is signed with exactly these keys. */
  signWith(keys: readonly DkimKey[]): Promise<void>;
}

export interface Desk extends Domains {
  /** All keys of this moment. */
  keys(): readonly DkimKey[];
}

/** A domain with its keys from both places. */
interface Known {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly booked: BookedDomain | undefined;
  readonly keys: readonly (SigningKey & Pick<DomainKey, "origin">)[];
}

export function createDesk(deps: DeskDeps): Desk {
  const { book } = deps;
  const startedAt = deps.clock.now();
  /** What the last check of each domain found. */
  const checked = new Map<string, readonly DomainRecord[]>();
  const inTurn = createTurns();

  const keys = (): readonly DkimKey[] => [
    ...deps.settingsKeys(),
    ...book.list().flatMap(({ name, keys }) => keys.map((key) => ({ domain: name, ...key }))),
  ];
  const read = createKeyReader();
  const known = (): readonly Known[] => gather(book.list(), deps.settingsKeys(), read, startedAt);
  const find = (id: string): Known | undefined =>
    known().find((one) => one.id === id.toLowerCase() || one.name === id.toLowerCase());
  const viewOf = (domain: Known): DomainView => {
    const wanted = wantedRecords(domain.name, domain.keys, deps.origin(domain.name));
    const last = checked.get(domain.name) ?? [];
    const records = wanted.map(
      (one): DomainRecord =>
        last.find((old) => old.name === one.name && old.value === one.value) ?? {
          ...one,
          status: "not_started",
        },
    );
    return {
      object: "domain",
      id: domain.id,
      name: domain.name,
      status: overall(records),
      created_at: domain.createdAt,
      keys: domain.keys.map(({ selector, algorithm, bits, origin }) => ({
        selector,
        algorithm,
        bits,
        origin,
      })),
      records,
    };
  };
  const shown = (id: string): DomainAnswer => {
    const domain = find(id);
    return domain === undefined ? { kind: "missing" } : { kind: "domain", view: viewOf(domain) };
  };

  return {
    keys,
    list: () => known().map(viewOf),
    get: shown,
    add: (text, selector) =>
      inTurn(async () => {
        const name = domainName(text);
        if (name === undefined) return invalid("name", "It must be a domain such as example.com.");
        const base = (selector ?? freshSelector(deps.random)).toLowerCase();
        if (!SELECTOR.test(base))
          return invalid("selector", "It must be letters, digits and hyphens, at most 50.");
        if (book.get(name) !== undefined)
          return { kind: "conflict", detail: `${name} has keys already. Remove it first.` };
        const taken = deps.settingsKeys().filter((key) => key.domain === name);
        const made = await makeKeys(base);
        if (made.some((key) => taken.some((other) => other.selector === key.selector)))
          return invalid("selector", "The settings have a key with this selector.");
        const now = deps.clock.now();
        const id = uuidOf(now * IDS_PER_MS, hostTag(deps.random.bytes(8)));
        try {
          await book.add({ id, name, createdAt: iso(now), keys: made });
        } catch (error) {
          return { kind: "failed", detail: (error as Error).message };
        }
        await deps.signWith(keys());
        return shown(name);
      }),
    remove: (id) =>
      inTurn(async () => {
        const domain = find(id);
        if (domain === undefined) return { kind: "missing" };
        if (domain.booked === undefined) {
          const detail = `The keys of ${domain.name} stand in the settings: remove them there.`;
          return { kind: "conflict", detail };
        }
        const view = viewOf(domain);
        try {
          await book.remove(domain.name);
        } catch (error) {
          return { kind: "failed", detail: (error as Error).message };
        }
        checked.delete(domain.name);
        await deps.signWith(keys());
        return { kind: "domain", view };
      }),
    async verify(id) {
      const domain = find(id);
      if (domain === undefined) return { kind: "missing" };
      const origin = deps.origin(domain.name);
      const dns = deps.openDns();
      try {
        const wanted = wantedRecords(domain.name, domain.keys, origin);
        checked.set(domain.name, await checkRecords(wanted, origin, dns.look));
      } finally {
        dns.close();
      }
      return shown(id);
    },
  };
}

const invalid = (field: string, detail: string): DomainAnswer => ({
  kind: "invalid",
  field,
  detail,
});

/** Room for `-ed` and for the rest of the name. */
const SELECTOR = /^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/;
const SELECTOR_BYTES = 4;

/** Its own for each host: two hosts that send for one domain must not ask for the same name in its DNS. */
function freshSelector(random: Pick<Random, "bytes">): string {
  return `pr${Buffer.from(random.bytes(SELECTOR_BYTES)).toString("hex")}`;
}

/** In A-labels and lower case; undefined for what is no domain with a dot. */
function domainName(text: string): string | undefined {
  const address = parseAddress(`postmaster@${text.trim().replace(/\.$/, "")}`);
  if (address.kind === "refused") return undefined;
  const name = domainOf(address.value);
  return name.includes(".") && !name.startsWith("[") && !name.startsWith(".") ? name : undefined;
}

/** Off this thread: a prime of 1024 bits is found by luck. */
async function makeKeys(selector: string): Promise<readonly BookedKey[]> {
  const rsa = await new Promise<string>((resolve, reject) =>
    generateKeyPair("rsa", { modulusLength: RSA_BITS_GOOD }, (error, _, key) =>
      error ? reject(error) : resolve(key.export(PEM).toString()),
    ),
  );
  const ed = await new Promise<string>((resolve, reject) =>
    generateKeyPair("ed25519", {}, (error, _, key) =>
      error ? reject(error) : resolve(key.export(PEM).toString()),
    ),
  );
  return [
    { selector, pem: rsa },
    { selector: `${selector}-ed`, pem: ed },
  ];
}

const PEM = { type: "pkcs8", format: "pem" } as const;

/** A key is judged in 50 us, and a list shows all of them. */
function createKeyReader(): (pem: string) => ReadKey {
  const known = new Map<string, ReadKey>();
  return (pem) => {
    const found = known.get(pem);
    if (found !== undefined) return found;
    if (known.size >= KEYS_KNOWN_MAX) known.clear();
    const made = readKey(pem);
    known.set(pem, made);
    return made;
  };
}

const KEYS_KNOWN_MAX = 10_000;

function gather(
  booked: readonly BookedDomain[],
  settings: readonly DkimKey[],
  read: (pem: string) => ReadKey,
  startedAt: number,
): readonly Known[] {
  const names = new Set([...booked.map((one) => one.name), ...settings.map((one) => one.domain)]);
  return [...names].sort().map((name) => {
    const own = booked.find((one) => one.name === name);
    const keys = [
      ...(own?.keys ?? []).map((key) => ({ ...key, origin: "made" as const })),
      ...settings
        .filter((key) => key.domain === name)
        .map((key) => ({ ...key, origin: "settings" as const })),
    ].flatMap(({ selector, pem, origin }) => {
      const key = read(pem);
      return key.kind === "key" ? [{ ...key, domain: name, selector, origin }] : [];
    });
    return {
      id: own?.id ?? idOfName(name),
      name,
      createdAt: own?.createdAt ?? iso(startedAt),
      booked: own,
      keys,
    };
  });
}

/** For a domain that only the settings know: the same after each start (RFC 9562 5.8). */
function idOfName(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Runs one after the other, also when one fails. */
function createTurns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const turn = last.then(run, run);
    last = turn.catch(() => {});
    return turn;
  };
}
