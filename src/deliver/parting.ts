// Sites that become another sender's. A limit of connections is the site's, so the next sender connects once this one has none.
import type { Parted } from "../mail/handover.ts";
import type { Site } from "./site.ts";
import type { SiteBook } from "./siteBook.ts";

/** Ends what is on its way to them, and returns those that still have something; `gone` is told once they have nothing. */
export function partFrom(
  book: Pick<SiteBook, "find" | "handOver">,
  names: readonly string[],
  gone: (parted: readonly Parted[]) => void,
): readonly Site[] {
  const none: Parted[] = [];
  const some: Site[] = [];
  for (const name of names) {
    const site = book.find(name);
    if (site === undefined || !hasAny(site)) {
      none.push(book.handOver(name));
      continue;
    }
    site.parting = () => gone([book.handOver(name)]);
    site.stop.abort();
    site.stop = new AbortController();
    some.push(site);
  }
  if (none.length > 0) gone(none);
  return some;
}

/** After whatever may have been the last of them. */
export function tellGone(site: Site): void {
  if (site.parting === null || hasAny(site)) return;
  const tell = site.parting;
  site.parting = null;
  tell();
}

function hasAny({ links, opening }: Site): boolean {
  return links + opening > 0;
}
