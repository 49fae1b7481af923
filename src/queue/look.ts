// A site as an operator sees it.
import type { SiteLook } from "./queue.ts";
import type { Site } from "./site.ts";

export function lookAt(site: Site | undefined): SiteLook | null {
  if (site === undefined) return null;
  const { name, leased, pausedUntil, level, streak } = site;
  return {
    site: name,
    leased,
    paused_until: level === 0 ? null : new Date(pausedUntil).toISOString(),
    pauses: level,
    failures: streak,
  };
}
