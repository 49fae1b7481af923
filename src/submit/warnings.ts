// Which warnings a message earns, and how they are told. Runs for every message: what is usual costs a comparison.
import type { Priority } from "../mail/message.ts";
import { judgeRaw } from "../mail/raw/judge.ts";
import { type WarningCode, warningView } from "../mail/warning.ts";

type Headers = readonly { readonly name: string; readonly value: string }[];

const none: readonly WarningCode[] = [];
const unaligned: readonly WarningCode[] = ["from_not_aligned"];
const unalignedJson = JSON.stringify(unaligned.map(warningView));

/**
 * `aligned`: a DKIM key here covers the domain of From. `lacksText`: there is html and no text beside it, though nobody wanted it so.
 * The same lists each time for what is usual.
 */
export function warningsOf(
  aligned: boolean,
  priority: Priority | undefined,
  lacksText: boolean,
  headers: Headers,
): readonly WarningCode[] {
  const first = aligned ? none : unaligned;
  if (priority !== 2 && !lacksText) return first;
  const codes = [...first];
  if (priority === 2 && !hasOneClick(headers)) codes.push("no_one_click_unsubscribe");
  if (lacksText) codes.push("no_text_part");
  return codes;
}

/** Of a message that its sender composed: `beginning` is what is looked at. */
export function rawWarningsOf(
  beginning: Uint8Array,
  eightBit: boolean,
  aligned: boolean,
  priority: Priority,
): readonly WarningCode[] {
  const { codes, field } = judgeRaw(beginning, eightBit);
  const asked = priority === 2 ? ["List-Unsubscribe", "List-Unsubscribe-Post"] : [];
  const headers = asked.flatMap((name) => {
    const value = field(name.toLowerCase());
    return value === undefined ? [] : [{ name, value }];
  });
  const own = warningsOf(aligned, priority, false, headers);
  return codes.length === 0 ? own : [...own, ...codes];
}

/** RFC 8058 3.1: an https address, and the header that says what a POST to it means. */
function hasOneClick(headers: Headers): boolean {
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
  // As a host without keys says for every message.
  if (codes === unaligned) return unalignedJson;
  return `[${codes.map(textOf).join(",")}]`;
}

function textOf(code: WarningCode): string {
  let text = texts.get(code);
  if (text === undefined) texts.set(code, (text = JSON.stringify(warningView(code))));
  return text;
}
