// The parameters by which a sender asks for delivery status notifications (RFC 3461), as they stand in MAIL and RCPT.

export interface DsnWish {
  /** Undefined: what the server does by itself. `never` stands alone. */
  readonly notify?: readonly Notify[] | undefined;
  /** How much of the message a failure report brings back. */
  readonly ret?: "full" | "headers" | undefined;
  /** The sender's own name for this message. */
  readonly envid?: string | undefined;
}

const notifyWords = ["never", "success", "failure", "delay"] as const;
export type Notify = (typeof notifyWords)[number];

/** ` RET=HDRS ENVID=x`, with the space before each; empty when nothing is asked for. */
export function mailParameters({ ret, envid }: DsnWish): string {
  const returned = ret === undefined ? "" : ` RET=${ret === "full" ? "FULL" : "HDRS"}`;
  return envid === undefined || envid === "" ? returned : `${returned} ENVID=${xtext(envid)}`;
}

/** NOTIFY, and the address as it was given to us, which a later report names (RFC 3461 4.2). */
export function rcptParameters({ notify }: DsnWish, address: string): string {
  const wanted = notify === undefined || notify.length === 0 ? "" : ` NOTIFY=${words(notify)}`;
  return `${wanted} ORCPT=${originalRecipient(address)}`;
}

function words(notify: readonly Notify[]): string {
  if (notify.includes("never")) return "NEVER";
  return [...new Set(notify)].map((word) => word.toUpperCase()).join(",");
}

function originalRecipient(address: string): string {
  return isAscii(address) ? `rfc822;${xtext(address)}` : `utf-8;${unitext(address)}`;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** RFC 3461 4: printable ASCII but `+` and `=`; the rest as `+` and two hexadecimal digits. */
export function xtext(text: string): string {
  return text.replace(/[^!-*,-<>-~]/gu, (found) =>
    [...Buffer.from(found, "utf8")].map((octet) => `+${hex(octet).padStart(2, "0")}`).join(""),
  );
}

/** RFC 6533 3, `utf-8-addr-unitext`: what xtext escapes is `\x{HEX}`, and so is the backslash; all that is not ASCII stands as it is. */
function unitext(text: string): string {
  return text.replace(/[^!-*,-<>-[\]-~\u0080-\u{10ffff}]/gu, (found) => {
    return `\\x{${hex(found.codePointAt(0) ?? 0)}}`;
  });
}

const hex = (value: number): string => value.toString(16).toUpperCase();
