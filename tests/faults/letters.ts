// The mail of a case, as every sender gets it.
import type { Staged } from "./arena.ts";

export function addresses({ one, place }: Staged, message: number): string[] {
  const { to = ["x"] } = one.letter ?? {};
  return to.map((each) =>
    each.includes("@")
      ? each.replace("{message}", `m${message}`).replace("{domain}", place.domain)
      : `${each}@${place.domain}`,
  );
}

/** The whole message with CRLF, for senders that do not compose. */
export function messageFor(staged: Staged, message: number): string {
  const { one } = staged;
  const { text = "A line of text.\n", raw, from = "a@sender.test" } = one.letter ?? {};
  const to = addresses(staged, message).join(", ");
  if (raw !== undefined) return raw.replace("{to}", to).replace("{from}", from);
  const id = `${one.row}.${message}.${staged.place.domain}`;
  const head = [
    `From: ${from}`,
    `To: ${to.length > 800 ? "undisclosed-recipients:;" : to}`,
    `Subject: ${one.row}`,
    `Date: ${new Date().toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${id}@sender.test>`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${text.replaceAll("\n", "\r\n")}`;
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));
