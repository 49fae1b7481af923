// A session of the server's side, walked without a socket: lines in, replies out, decisions by a table.
import { serverLimits } from "../../../src/smtp/server/phases.ts";
import { said } from "../../../src/smtp/server/said.ts";
import { serverSession } from "../../../src/smtp/server/session.ts";
import type {
  ServerEnvelope,
  ServerHeard,
  ServerOptions,
  ServerWant,
} from "../../../src/smtp/server/speech.ts";

export const usual: ServerOptions = {
  hostname: "mx.example",
  limits: serverLimits,
  offersTls: true,
  secure: false,
  clearLogin: true,
};

/** `\0u\0key` and `\0u\0bad`. */
export const RIGHT = "AHUAa2V5";
export const WRONG = "AHUAYmFk";

export type Decide = (want: Exclude<ServerWant, { want: "say" | "line" }>) => ServerHeard;

export const decide: Decide = (want) => {
  switch (want.want) {
    case "tls":
      return { got: "done" };
    case "login":
      return want.password === "key"
        ? { got: "yes", value: "" }
        : { got: "no", said: said(535, "5.7.8", "Wrong key", "invalid_api_key") };
    case "sender":
    case "recipient":
      return want.address.startsWith("no")
        ? { got: "no", said: said(550, "5.7.1", "Not this one", "domain_not_allowed") }
        : { got: "yes", value: want.address };
    case "content":
      return { got: "yes", value: "ID" };
  }
};

export interface Walked {
  /** Codes in order; of a reply of several lines the last. */
  readonly codes: readonly number[];
  readonly text: string;
  readonly taken: readonly ServerEnvelope[];
  readonly ended: boolean;
  readonly refusals: readonly string[];
}

/** After the last of `lines` the walk stops, unless the session has ended before. */
export function walk(
  lines: readonly (string | ServerHeard)[],
  options: Partial<ServerOptions> = {},
  answer: Decide = decide,
): Walked {
  const session = serverSession({ ...usual, ...options });
  const left = [...lines];
  const taken: ServerEnvelope[] = [];
  const refusals: string[] = [];
  let text = "";
  let heard: ServerHeard = { got: "done" };
  for (;;) {
    const step = session.next(heard);
    const codes = (): number[] =>
      [...text.matchAll(/^(\d{3})(?: |$)/gm)].map((match) => Number(match[1]));
    if (step.done === true) return { codes: codes(), text, taken, ended: true, refusals };
    const want = step.value;
    if (want.want === "say") {
      text += want.text;
      if (want.refusal !== undefined) refusals.push(want.refusal);
      heard = { got: "done" };
    } else if (want.want === "line") {
      const line = left.shift();
      if (line === undefined) return { codes: codes(), text, taken, ended: false, refusals };
      heard = typeof line === "string" ? { got: "line", text: line } : line;
    } else {
      heard = answer(want);
      if (want.want === "tls" && heard.got === "done") text += want.text;
      if (want.want === "content" && heard.got === "yes") taken.push(want.envelope);
    }
  }
}
