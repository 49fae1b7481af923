// One door for all hostile input, and how it is asked.
import { expect } from "bun:test";
import { createFixture, message, problemOf } from "./doorFixture.ts";

export const fixture = createFixture();

export interface Answer {
  readonly status: number;
  readonly errors: readonly string[];
}

export async function post(
  body: unknown,
  headers: Record<string, string> = {},
  path = "/send",
): Promise<Answer> {
  const response = await fixture.post(path, body, headers);
  if (response.status < 300) return { status: response.status, errors: [] };
  const { errors = [] } = await problemOf(response);
  return { status: response.status, errors: errors.map((one) => `${one.pointer} ${one.code}`) };
}

export const send = (more: object): Promise<Answer> => post({ ...message, ...more });
export const raw = (text: string, path = "/send"): Promise<Answer> =>
  post(Buffer.from(text), { "content-type": "message/rfc822" }, path);
export const pointers = ({ errors }: Answer): readonly string[] =>
  errors.map((one) => one.split(" ")[0] ?? "");

/** What was composed, or what is left of a raw message. */
export function last(): {
  readonly header: string;
  readonly body: string;
  readonly recipients: readonly string[];
} {
  const { head, body } = fixture.taken.at(-1) ?? {};
  const text = Buffer.from(body ?? []).toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  return {
    header: text.slice(0, end),
    body: text.slice(end + 4),
    recipients: head?.recipients ?? [],
  };
}

export const refusedAs = async (answer: Promise<Answer>, pointer: string): Promise<void> => {
  const found = await answer;
  expect(found.status).toBe(422);
  expect(pointers(found).some((one) => one.startsWith(pointer))).toBe(true);
};
