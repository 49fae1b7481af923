// The domains whose keys were made here, on the disk: a folder each, named after the domain, with its keys and a page about them.
// The files are the truth. A domain is there once its folder has its name: one rename, so that a crash leaves all of it or nothing.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

export interface BookedKey {
  readonly selector: string;
  readonly pem: string;
}

export interface BookedDomain {
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly keys: readonly BookedKey[];
}

export interface Book {
  /** In the order of their names. */
  list(): readonly BookedDomain[];
  get(name: string): BookedDomain | undefined;
  /** Rejects when the disk fails. */
  add(domain: BookedDomain): Promise<void>;
  remove(name: string): Promise<void>;
}

const PAGE = "domain.json";
/** Folders that are being made or unmade: a start sweeps them. */
const UNFINISHED = ".";
const DOMAINS_MAX = 100_000;

interface Page {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly selectors: readonly string[];
}

/** Told of each folder that cannot be read: it is left alone, and out. */
export async function openBook(folder: string, damaged: (text: string) => void): Promise<Book> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const domains = new Map<string, BookedDomain>();
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith(UNFINISHED)) {
      await rm(join(folder, name), { recursive: true, force: true });
      continue;
    }
    const read = await readDomain(join(folder, name), name);
    if (typeof read === "string") damaged(`${join(folder, name)}: ${read}`);
    else domains.set(name, read);
  }
  const list = (): readonly BookedDomain[] =>
    [...domains.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    list,
    get: (name) => domains.get(name),
    async add(domain) {
      if (domains.size >= DOMAINS_MAX) throw new Error(`there are ${DOMAINS_MAX} domains already`);
      const unfinished = join(folder, `${UNFINISHED}new-${domain.name}`);
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(unfinished, { mode: 0o700 });
      for (const { selector, pem } of domain.keys)
        await writeLasting(join(unfinished, keyFile(selector)), pem);
      const page: Page = {
        id: domain.id,
        name: domain.name,
        created_at: domain.createdAt,
        selectors: domain.keys.map((key) => key.selector),
      };
      await writeLasting(join(unfinished, PAGE), `${JSON.stringify(page, null, 2)}\n`);
      await sync(unfinished);
      await rename(unfinished, join(folder, domain.name));
      await sync(folder);
      domains.set(domain.name, domain);
    },
    async remove(name) {
      const unfinished = join(folder, `${UNFINISHED}old-${name}`);
      await rm(unfinished, { recursive: true, force: true });
      await rename(join(folder, name), unfinished);
      domains.delete(name);
      await sync(folder);
      await rm(unfinished, { recursive: true, force: true });
    },
  };
}

function keyFile(selector: string): string {
  return `${selector}.pem`;
}

/** A text says what is wrong. */
async function readDomain(folder: string, name: string): Promise<BookedDomain | string> {
  try {
    const page = JSON.parse(await readFile(join(folder, PAGE), "utf8")) as Partial<Page>;
    const { id, created_at: createdAt, selectors } = page;
    if (page.name !== name) return `${PAGE} is about another domain`;
    if (typeof id !== "string" || typeof createdAt !== "string" || !Array.isArray(selectors))
      return `${PAGE} lacks something`;
    const keys: BookedKey[] = [];
    for (const selector of selectors as unknown[]) {
      const known = String(selector);
      keys.push({
        selector: known,
        pem: await readFile(join(folder, keyFile(known)), "utf8"),
      });
    }
    return { id, name, createdAt, keys };
  } catch (error) {
    return (error as Error).message;
  }
}

async function writeLasting(file: string, text: string): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
