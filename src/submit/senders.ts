// In whose name a message speaks, held against the sender domains of its API key: each field that names another one is a fault.
import { SPEAKERS, speakersOf } from "../mail/raw/readHeader.ts";
import { type Caller, whyForeign } from "./caller.ts";
import { noHeaders } from "./headers.ts";
import { type Fault, pointerOf, type Problem, problemOf } from "./problem.ts";
import type { Fields } from "./schema.ts";

type Speaking = Pick<Fields, "from" | "return_path" | "headers">;

/** `base`: where the message lies in the body. */
export function foreignSenders(
  caller: Pick<Caller, "domains">,
  fields: Speaking,
  base: readonly PropertyKey[] = [],
): Fault[] {
  if (caller.domains === null) return [];
  return spoken(fields).flatMap(([path, address]) => {
    const detail = whyForeign(caller, address);
    if (detail === undefined) return [];
    return [{ pointer: pointerOf([...base, ...path]), code: "domain_not_allowed", detail }];
  });
}

export function notAllowed(faults: readonly Fault[]): Problem {
  return { ...problemOf(faults), name: "domain_not_allowed" };
}

type Named = readonly [path: readonly string[], address: string];

/** From, the reverse-path, and the senders that its own header fields name. */
function spoken({ from, return_path: path, headers = noHeaders }: Speaking): readonly Named[] {
  const own = headers.fields.filter(({ name }) => SPEAKERS.includes(name.toLowerCase()));
  return [
    [["from"], from.mailbox.address],
    [["return_path"], path?.for("id") ?? ""],
    ...own.flatMap(({ name, value }) =>
      speakersOf([value]).map((address): Named => [["headers", name], address]),
    ),
  ];
}
