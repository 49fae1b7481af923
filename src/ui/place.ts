// Where the page is at the moment, as a signal that follows the browser's address.
import { computed, signal } from "@preact/signals";
import { home, readRoute, type Route } from "./route.ts";

const hash = signal(location.hash);
/** Grows with each move; 0: nothing was moved yet, and the focus belongs to the browser. */
export const moves = signal(0);

addEventListener("hashchange", () => {
  hash.value = location.hash;
  moves.value++;
});

/** Null: the address names no place. */
export const place = computed<Route | null>(() =>
  hash.value === "" ? home : readRoute(hash.value),
);

export function goTo(link: string): void {
  location.hash = link;
}
