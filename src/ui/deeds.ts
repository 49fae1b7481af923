// What an operator does to a site, a domain, or everything, each with the sentence that says what came of it.
import { counted } from "./model/format.ts";
import { act } from "./notices.ts";

export type Span = { readonly all: true } | { readonly domain: string } | { readonly site: string };

function nameOf(span: Span): string {
  if ("all" in span) return "Everything";
  return "site" in span ? span.site : span.domain;
}

/** The line of a paused domain is a site named `domain:` and the domain; the API calls it by the domain. */
export function spanOf(site: string): Span {
  return site.startsWith("domain:") ? { domain: site.slice("domain:".length) } : { site };
}

interface Walked {
  readonly recipients: number;
}

export function pause(span: Span): Promise<boolean> {
  return act({
    ...{ method: "POST", path: "/queue/pause", body: span },
    done: () => `${nameOf(span)} is paused: nothing more is sent there.`,
    failed: `${nameOf(span)} was not paused.`,
  });
}

export function resume(span: Span): Promise<boolean> {
  return act({
    ...{ method: "POST", path: "/queue/resume", body: span },
    done: () => `${nameOf(span)} goes on.`,
    failed: `${nameOf(span)} was not resumed.`,
  });
}

export function flush(span: Span): Promise<boolean> {
  return act<Walked>({
    ...{ method: "POST", path: "/queue/flush", body: span },
    done: ({ recipients }) => `${counted(recipients, "recipient")} due now at ${nameOf(span)}.`,
    failed: `${nameOf(span)} was not flushed.`,
  });
}
