// One key for what is wanted most: `/` goes to the search for messages, as in many tools. It is told beside the search.
import { session } from "./api.ts";
import { goTo, place } from "./place.ts";
import { linkTo } from "./route.ts";

/** The form looks there whether it was asked for, once it has appeared. */
let isWanted = false;

export function followKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (session.peek().at !== "in" || isTyping(event.target)) return;
    event.preventDefault();
    const field = document.querySelector<HTMLInputElement>("form[role=search] input");
    if (field !== null) return field.focus();
    isWanted = true;
    if (place.peek()?.section !== "messages" || place.peek()?.names.length !== 0)
      goTo(linkTo("messages"));
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, select, textarea, dialog") !== null;
}

/** True once after each press. */
export function takeWish(): boolean {
  const was = isWanted;
  isWanted = false;
  return was;
}
