// Which group a route's mail belongs to, from its first job to its last connection.
import type { Route } from "../route/route.ts";
import type { PoolState } from "./poolState.ts";
import { createGroup, type Group, keyOf } from "./site.ts";

export function groupOf(state: PoolState, route: Route): Group {
  let key = state.keys.get(route);
  if (key === undefined) {
    key = keyOf(route);
    state.keys.set(route, key);
  }
  const found = state.groups.get(key);
  if (found !== undefined) {
    found.route = route;
    return found;
  }
  const site = state.book.at(route);
  const made = createGroup(key, site, route);
  site.groups.add(made);
  state.groups.set(key, made);
  return made;
}

/** Forgets a group that has nothing any more. */
export function tidy(state: PoolState, group: Group): void {
  if (group.links.size + group.opening + group.lanes.size() > 0) return;
  const { site } = group;
  state.hungry.delete(group);
  site.turns.delete(group);
  if (!site.groups.delete(group)) return;
  state.groups.delete(group.key);
  if (site.groups.size === 0) state.book.retire(site);
}
