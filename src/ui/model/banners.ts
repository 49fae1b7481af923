// What a person should look at, worst first: one line for each thing, with its remedy. The daemon's alerts say most of it; what an operator
// has stopped is no alert, but must be seen too.
import type { FiguresView, HealthFigures } from "../../mail/figures.ts";
import { plainTimes } from "./format.ts";

export interface Banner {
  readonly key: string;
  readonly level: "bad" | "warn" | "note";
  readonly text: string;
  readonly remedy: string;
  readonly since: string | null;
  readonly site: string | null;
  /** What a button of the banner lets go on; null: nothing. */
  readonly resume:
    { readonly all: true } | { readonly domain: string } | { readonly site: string } | null;
}

/** More are told as a number: a page full of banners says nothing. */
export const BANNERS_MAX = 6;

const ranks = { bad: 0, warn: 1, note: 2 } as const;

export function bannersOf({ health }: Pick<FiguresView, "health">): Banner[] {
  return [...alertsOf(health), ...refusalOf(health), ...pausesOf(health)].sort(
    (a, b) => ranks[a.level] - ranks[b.level],
  );
}

function alertsOf({ alerts }: HealthFigures): Banner[] {
  return alerts.map(({ code, level, since, site, text, remedy }) => ({
    key: `${code} ${site ?? ""}`,
    ...{ level, text: plainTimes(text), remedy: plainTimes(remedy), since, site, resume: null },
  }));
}

/** An alert of its own says why in most cases. */
function refusalOf({ refusing, alerts }: HealthFigures): Banner[] {
  if (refusing === null || alerts.some(({ code }) => code === refusing.why)) return [];
  const text = `No mail is taken at the moment: ${refusing.why.replaceAll("_", " ")}.`;
  const remedy = `Clients are told to come again in ${refusing.retry_after_seconds} s.`;
  return [{ key: "refusing", level: "bad", text, remedy, since: null, site: null, resume: null }];
}

function pausesOf({ paused }: HealthFigures): Banner[] {
  const whole = paused.filter(({ kind }) => kind === "all");
  const parts = paused.filter(({ kind }) => kind !== "all");
  return [
    ...whole.map(({ since }): Banner => ({
      ...{ key: "paused", level: "warn", since, site: null, resume: { all: true } },
      text: "Everything is paused: nothing is sent.",
      remedy: "Mail is taken and waits. It goes on when an operator resumes it.",
    })),
    ...parts.map(({ kind, name, since }): Banner => ({
      ...{ key: `paused ${kind} ${name}`, level: "note", since },
      site: kind === "site" ? name : null,
      text: `The ${kind} ${name} is paused.`,
      remedy: "Its mail waits until an operator resumes it.",
      resume: kind === "site" ? { site: name } : { domain: name },
    })),
  ];
}
