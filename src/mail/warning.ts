// What is worth knowing of a message that was taken all the same: told in the answer and with the event, never a refusal. A message
// keeps the codes; the sentences stand here.

export const warnings = {
  from_not_aligned:
    "No DKIM key here signs for the domain of From, so DMARC passes by SPF alone. " +
    "Make one: postrider domain add DOMAIN.",
  no_one_click_unsubscribe:
    "Bulk mail (p2) without one-click List-Unsubscribe (RFC 8058) is refused by large providers: " +
    "set the headers List-Unsubscribe with an https address and List-Unsubscribe-Post.",
  no_text_part:
    "The message has no plain-text part and none could be derived from its html. Give text.",
  undeclared_8bit:
    "The source holds 8-bit text and names no charset: some readers will show it wrongly.",
  boundary_with_space:
    "A boundary of the source has a space in it: some servers read such a message wrongly.",
  no_transfer_encoding:
    "The source holds 8-bit text without a Content-Transfer-Encoding: RFC 2045 6.1 reads it as 7bit.",
} as const satisfies Readonly<Record<string, string>>;

export type WarningCode = keyof typeof warnings;

export interface WarningView {
  readonly code: WarningCode;
  readonly detail: string;
}

export function warningView(code: WarningCode): WarningView {
  return { code, detail: warnings[code] };
}
