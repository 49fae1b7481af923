// What must never be told of a login: servers like to repeat what they refuse, and what they say is kept, logged and shown.
import { harmless } from "./text.ts";

/** A shorter one would blank half of what is said. */
export const SECRET_MIN = 4;

/** The longest first: what holds another one goes as a whole. */
export function secretsOf(login: { readonly user: string; readonly pass: string }): string[] {
  const { user, pass } = login;
  const plain = `\0${user}\0${pass}`;
  const token = `user=${user}\x01auth=Bearer ${pass}\x01\x01`;
  const sent = [plain, token, pass].map((text) => Buffer.from(text, "utf8").toString("base64"));
  // As a reply shows it when a server says it.
  const shown = harmless(Buffer.from(pass, "utf8").toString("latin1"));
  return [...sent, ...sent.map((text) => text.replace(/=+$/, "")), shown].filter(
    (text) => text.length >= SECRET_MIN,
  );
}

export function without(secrets: readonly string[], text: string): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "***"), text);
}
