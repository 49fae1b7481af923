// The file of `tls_ca_file` is looked at before anything starts: a slip in it would show as untrusted servers, mail by mail.
import type { Surroundings } from "./machine.ts";

/** What is wrong with the file, in words; undefined: nothing. */
export function caFault(path: string, readFile: Surroundings["readFile"]): string | undefined {
  let text: string | undefined;
  try {
    text = readFile(path);
  } catch (error) {
    return `${path}: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (text === undefined) return `${path}, which is not there`;
  return certificatesIn(text).length > 0 ? undefined : `${path}, which holds no certificate`;
}

/** Each certificate of a PEM file by itself, whatever stands around it. */
export function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
