// Light, dark, or as the system has it: the default, which may change with the time of day.
import { signal } from "@preact/signals";
import { recall, remember } from "./browser.ts";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const kept = recall("theme");
export const theme = signal<Theme>(themes.find((one) => one === kept) ?? "system");
/** Grows whenever colours may have changed: canvases draw themselves anew then. */
export const colours = signal(0);

export function setTheme(next: Theme): void {
  theme.value = next;
  remember("theme", next);
  apply();
}

export function followTheme(): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => colours.value++);
}

function apply(): void {
  document.documentElement.dataset["theme"] = theme.value;
  colours.value++;
}
