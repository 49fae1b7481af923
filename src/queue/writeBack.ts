// Who writes the write-ahead log back into the database, and when. A thread of its own does the long part beside the commits, which go
// on; what they add meanwhile is short, and only the writer can bring it to an end, so that the log begins anew.

/** In pages. */
export interface LogLength {
  readonly pages: number;
  /** So many of them are in the database. */
  readonly written: number;
}

/** `none`: there is no such thread, or no more. */
export type Helper = "none" | "free" | "busy";

/** In pages. Shorter, the log is left as it is: the longer it grows, the more often its pages have come again, and are written once. */
export const LONG_PAGES = 4000;
/** In pages. Without the thread the writer must not be kept for long: 4000 took 42 ms. */
export const LONG_ALONE_PAGES = 1000;
/** In pages: what the writer does itself, in a millisecond. */
const REST_PAGES = 100;

export function whoWritesBack(
  { pages, written }: LogLength,
  helper: Helper,
): "nobody" | "writer" | "helper" {
  const left = pages - written;
  const long = helper === "none" ? LONG_ALONE_PAGES : LONG_PAGES;
  if (pages < long || left === 0 || helper === "busy") return "nobody";
  return helper === "none" || left <= REST_PAGES ? "writer" : "helper";
}
