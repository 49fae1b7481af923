// The present, for ages and countdowns on the page.
import { signal } from "@preact/signals";
import { after, now } from "./browser.ts";

export const nowMs = signal(now());

const EVERY_MS = 1000;

export function startTicking(): void {
  const tick = (): void => {
    nowMs.value = now();
    after(EVERY_MS, tick);
  };
  tick();
}
