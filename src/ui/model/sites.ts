// Destinations as rows: what to call them, and how much waits there.
import { grouped } from "../../base/human.ts";
import type { SiteFigure } from "../../mail/figures.ts";
import { lineName } from "../../mail/query.ts";
import { isWell } from "../../mail/slow.ts";

export function siteName(site: string): string {
  return lineName(site.startsWith("domain:") ? site.slice("domain:".length) : site);
}

export function waitingText({ waiting, at_least: atLeast }: SiteFigure["backlog"]): string {
  return `${grouped(waiting)}${atLeast ? "+" : ""}`;
}

/** Those that somebody could ask about, the largest backlog first. */
export function heldUp(sites: readonly SiteFigure[]): SiteFigure[] {
  return sites
    .filter(({ cause }) => !isWell(cause))
    .filter(({ backlog }) => backlog.waiting + backlog.sending > 0)
    .sort((a, b) => b.backlog.waiting - a.backlog.waiting);
}

/** `2 of 10`: connections that may work now, of those that may ever. */
export function concurrencyText({ concurrency, connections }: SiteFigure): string {
  if (concurrency === null) return "–";
  const busy = connections.open - connections.idle;
  return `${busy} of ${concurrency.now}, at most ${concurrency.limit}`;
}

/** By an operator: a pause that ends by itself is no thing to resume. */
export function isPaused({ pause }: Pick<SiteFigure, "pause">): boolean {
  return pause?.rule === "operator";
}
