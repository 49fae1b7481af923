// Which warnings a message earns, and how they are told. Runs for every message: what is usual costs a comparison.
import type { Priority } from "../mail/message.ts";
import { judgeRaw } from "../mail/raw/judge.ts";
import { type WarningCode, warningView } from "../mail/warning.ts";

export interface Judged {
  /** Whether a DKIM key here covers the domain of From. */
  readonly aligned: boolean;
  readonly priority: Priority;
  /** The message has html and no text beside it, though nobody wanted it so. */
  readonly lacksText: boolean;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

const none: readonly WarningCode[] = [];
const unaligned: readonly WarningCode[] = ["from_not_aligned"];

/** The same lists each time for what is usual. */
export function warningsOf(judged: Judged): readonly WarningCode[] {
  const first = judged.aligned ? none : unaligned;
  if (judged.priority !== 2 && !judged.lacksText) return first;
  const codes = [...first];
  if (judged.priority === 2 && !hasOneClick(judged.headers)) codes.push("no_one_click_unsubscribe");
  if (judged.lacksText) codes.push("no_text_part");
  return codes;
}

/** Of a message that its sender composed: `beginning` is what is looked at. */
export function rawWarningsOf(
  beginning: Uint8Array,
  { aligned, priority }: Pick<Judged, "aligned" | "priority">,
): readonly WarningCode[] {
  const { codes, field } = judgeRaw(beginning);
  const headers = ["List-Unsubscribe", "List-Unsubscribe-Post"].flatMap((name) => {
    const value = field(name.toLowerCase());
    return value === undefined ? [] : [{ name, value }];
  });
  const own = warningsOf({ aligned, priority, lacksText: false, headers });
  return codes.length === 0 ? own : [...own, ...codes];
}

/** RFC 8058 3.1: an https address, and the header that says what a POST to it means. */
function hasOneClick(headers: Judged["headers"]): boolean {
  const has = (name: string, value: RegExp): boolean =>
    headers.some((one) => one.name.toLowerCase() === name && value.test(one.value));
  return (
    has("list-unsubscribe", /<\s*https:/i) &&
    has("list-unsubscribe-post", /^\s*list-unsubscribe\s*=\s*one-click\s*$/i)
  );
}

const texts = new Map<WarningCode, string>();

/** As JSON, from texts that are made once. */
export function warningsJson(codes: readonly WarningCode[] | undefined): string {
  if (codes === undefined || codes.length === 0) return "[]";
  return `[${codes.map(textOf).join(",")}]`;
}

function textOf(code: WarningCode): string {
  let text = texts.get(code);
  if (text === undefined) texts.set(code, (text = JSON.stringify(warningView(code))));
  return text;
}
