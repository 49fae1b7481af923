// What went wrong, for people: the API's own sentence (RFC 9457), which holds the remedy, and the fields that it concerns.

export interface Fault {
  /** Of HTTP; 0: there was no answer. */
  readonly status: number;
  readonly name: string;
  readonly title: string;
  readonly detail: string;
  readonly fields: readonly { readonly pointer: string; readonly detail: string }[];
  readonly retryAfterS: number | null;
  /** To be told to whoever reads the log; empty: none. */
  readonly requestId: string;
}

export const unreachable: Fault = {
  status: 0,
  name: "unreachable",
  title: "The daemon does not answer",
  detail:
    "The request was not answered: the daemon has stopped, or the network between is broken. " +
    "On its host, its log says more.",
  fields: [],
  retryAfterS: null,
  requestId: "",
};

type Body = Readonly<Record<string, unknown>>;

/** `body`: what was parsed of the answer; undefined: nothing was. */
export function faultOf(status: number, body: unknown, retryAfter: string | null): Fault {
  const told: Body = typeof body === "object" && body !== null ? (body as Body) : {};
  const text = (name: string, otherwise: string): string => {
    const value = told[name];
    return typeof value === "string" && value !== "" ? value : otherwise;
  };
  const retryAfterS = Number(retryAfter ?? NaN);
  return {
    status,
    name: text("name", "unknown"),
    title: text("title", `Status ${status}`),
    detail: text("detail", "The answer was no problem document: a proxy between may have made it."),
    fields: fieldsOf(told["errors"]),
    retryAfterS: Number.isFinite(retryAfterS) ? retryAfterS : null,
    requestId: text("request_id", ""),
  };
}

function fieldsOf(errors: unknown): Fault["fields"] {
  if (!Array.isArray(errors)) return [];
  return (errors as readonly Body[]).flatMap((one) => {
    const { pointer, detail } = one ?? {};
    if (typeof detail !== "string") return [];
    return [{ pointer: typeof pointer === "string" ? pointer : "", detail }];
  });
}
