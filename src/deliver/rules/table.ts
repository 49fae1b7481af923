// The whole table, in the order in which it is read: the provider's own words, then anybody's words, then codes. The first row that
// matches decides.
import { coded, numbered } from "./codes.ts";
import { google } from "./google.ts";
import { microsoft } from "./microsoft.ts";
import { apple, china, comcast, filters, mailru, orange, unitedInternet } from "./others.ts";
import { isOf, matches, type Provider, type Refusal, type Rule } from "./rule.ts";
import { general, nobody, ours } from "./words.ts";
import { yahoo } from "./yahoo.ts";

export const providers: readonly Provider[] = [
  google,
  microsoft,
  yahoo,
  apple,
  comcast,
  unitedInternet,
  orange,
  mailru,
  china,
  filters,
];

const anybody: readonly Rule[] = [...ours, ...nobody, ...general, ...numbered];

/** Enhanced codes that say no more than none. */
const vague: ReadonlySet<string> = new Set(["", "0.0", "3.0", "5.0"]);

/** `host`: the MX that said it, in lower case; empty when it is not known. */
export function ruleFor(refusal: Refusal, host: string): Rule | undefined {
  const isMatch = (rule: Rule): boolean => matches(rule, refusal);
  for (const provider of providers) {
    const own = isOf(provider, host, refusal.words) ? provider.rules.find(isMatch) : undefined;
    if (own !== undefined) return own;
  }
  return anybody.find(isMatch) ?? (vague.has(refusal.status) ? coded.find(isMatch) : undefined);
}
