// Where one is, as it stands behind the `#` of the address: so that a link to a message can be sent to somebody, and so that the browser's
// own buttons work. Nothing of it is ever sent to the server.

export const sections = [
  "overview",
  "sites",
  "messages",
  "suppressions",
  "webhooks",
  "domains",
  "inbox",
] as const;
export type Section = (typeof sections)[number];

export interface Route {
  readonly section: Section;
  /** What stands behind the section: the id of a message, a site, a webhook and one of its events. */
  readonly names: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export const home: Route = { section: "overview", names: [], query: {} };

/** Null: there is no such place. */
export function readRoute(hash: string): Route | null {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [first = "", ...rest] = path.split("/").filter((part) => part !== "");
  const section = first === "" ? "overview" : sections.find((one) => one === first);
  const names = rest.map(decoded);
  if (section === undefined || names.includes(null)) return null;
  return {
    section,
    names: names as readonly string[],
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** What an anchor's `href` says. */
export function linkTo(
  section: Section,
  names: readonly string[] = [],
  query: Readonly<Record<string, string>> = {},
): string {
  const path = [section, ...names.map((name) => encodeURIComponent(name))].join("/");
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const search = new URLSearchParams(given).toString();
  return `#/${path}${search === "" ? "" : `?${search}`}`;
}
