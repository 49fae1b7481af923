// Site names by number and back, read once: there are as many as there are sets of mail servers.
import type { Prepare } from "./sqlite-open.ts";
import { type SiteId, UNROUTED } from "./store.ts";

export function createSites(prepare: Prepare) {
  const insert = prepare("INSERT INTO site (id, name) VALUES (?1, ?2)");
  const ids = new Map<string, SiteId>();
  const names = new Map<SiteId, string>();
  let last: SiteId = UNROUTED;
  for (const [id, name] of prepare("SELECT id, name FROM site ORDER BY id").values() as [
    SiteId,
    string,
  ][]) {
    ids.set(name, id);
    names.set(id, name);
    last = id;
  }
  let fresh: string[] = [];
  return {
    id(name: string): SiteId {
      const known = ids.get(name);
      if (known !== undefined) return known;
      const id = last + 1;
      insert.run(id, name);
      last = id;
      ids.set(name, id);
      names.set(id, name);
      fresh.push(name);
      return id;
    },
    name: (id: SiteId): string => names.get(id) ?? "",
    keep: () => void (fresh.length > 0 && (fresh = [])),
    undo() {
      for (const name of fresh) {
        names.delete(ids.get(name) ?? UNROUTED);
        ids.delete(name);
        last--;
      }
      fresh = [];
    },
  };
}
