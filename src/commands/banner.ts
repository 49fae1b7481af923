// What `serve` says once it answers: all that is needed to look at it, and to send a first message by hand.
import { json } from "./output.ts";

export interface Facts {
  readonly version: string;
  readonly dataDir: string;
  /** The settings' file; null: none was found. */
  readonly file: string | null;
  /** Such as `http://127.0.0.1:8250`. */
  readonly url: string;
  /** Where a full-access key can be read; null when it was given by another road. */
  readonly keyFile: string | null;
  readonly queue: { readonly recipients: number; readonly bytes: number };
}

/** Always taken by the built-in sink, also without internet. */
const FIRST_RECIPIENT = "delivered@postrider.test";

export function banner(facts: Facts): string {
  const { recipients, bytes } = facts.queue;
  const key = facts.keyFile === null ? "an API key" : `the key in ${facts.keyFile}`;
  return [
    `Postrider ${facts.version}`,
    `  data   ${facts.dataDir}`,
    `  config ${facts.file ?? "no file, defaults"}`,
    `  api    ${facts.url}`,
    `  page   ${facts.url}/ in a browser; log in with ${key}`,
    `  queue  ${recipients} recipients, ${bytes} bytes`,
    "",
    "Send a first message; the built-in sink takes it, also without internet:",
    "",
    `  ${curlLine(facts)}`,
    "",
  ].join("\n");
}

export function bannerJson(facts: Facts): string {
  return json({ ...facts, curl: curlLine(facts) });
}

export function curlLine({ url, keyFile }: Pick<Facts, "url" | "keyFile">): string {
  const key = keyFile === null ? "$POSTRIDER_API_KEY" : `$(cat ${quoted(keyFile)})`;
  const message = {
    from: "me@example.com",
    to: FIRST_RECIPIENT,
    subject: "Hello",
    text: "It works.",
  };
  return [
    `curl ${url}/send`,
    `-H "Authorization: Bearer ${key}"`,
    '-H "Content-Type: application/json"',
    `-d '${JSON.stringify(message)}'`,
  ].join(" ");
}

/** For a POSIX shell, within `$( )`. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
