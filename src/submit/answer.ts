// Answers on the wire: JSON written by hand where it is hot, CBOR for whoever speaks it, problems in one place.
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { encodeCbor } from "./cbor.ts";
import { type Problem, problemBody, problemHeaders, statusOf } from "./problem.ts";

export const JSON_TYPE = "application/json";
export const CBOR_TYPE = "application/cbor";
export const RAW_TYPE = "message/rfc822";
export const FORM_TYPE = "multipart/form-data";

/** The media type of a header's value, without parameters; empty for none. */
export function essenceOf(contentType: string | null): string {
  if (contentType === null || contentType === JSON_TYPE) return contentType ?? "";
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** CBOR is answered to whoever asks for it, and to whoever sent it and did not say. */
export function wantsCbor(request: Request): boolean {
  const accept = request.headers.get("accept");
  if (accept !== null && accept.includes(CBOR_TYPE)) {
    const weight = weightOf(accept, CBOR_TYPE);
    return weight > 0 && weight >= weightOf(accept, JSON_TYPE);
  }
  if (accept !== null && accept !== "*/*") return false;
  return essenceOf(request.headers.get("content-type")) === CBOR_TYPE;
}

/** RFC 9110 12.4.2: how much one type is wanted; 0 where it is not named. */
function weightOf(accept: string, type: string): number {
  const named = accept.split(",").find((one) => essenceOf(one) === type);
  if (named === undefined) return 0;
  return Number(/;\s*q\s*=\s*([\d.]+)/i.exec(named)?.[1] ?? 1);
}

export function answer(request: Request, status: number, body: unknown): Response {
  if (wantsCbor(request))
    return new Response(encodeCbor(body), { status, headers: { "content-type": CBOR_TYPE } });
  return new Response(JSON.stringify(body), { status, headers: { "content-type": JSON_TYPE } });
}

const REQUEST_ID_BYTES = 9;

export type Refuse = (request: Request, problem: Problem) => Response;

/** `count` is told of each refusal, with the request and the id that its answer names. */
export function createRefuse(
  random: Random,
  count: (problem: Problem, request: Request, id: string) => void,
): Refuse {
  return (request, problem) => {
    const id = `req_${Buffer.from(random.bytes(REQUEST_ID_BYTES)).toString("base64url")}`;
    count(problem, request, id);
    const body = problemBody(problem, pathOf(request.url), id);
    const headers = problemHeaders(problem);
    const status = statusOf(problem.name);
    if (wantsCbor(request)) {
      headers["content-type"] = CBOR_TYPE;
      return new Response(encodeCbor(body), { status, headers });
    }
    headers["content-type"] = "application/problem+json";
    return new Response(JSON.stringify(body), { status, headers });
  };
}

/** How a refusal is logged: who looks for nothing (404) or comes by a wrong road is not worth a line. */
export function logRefusal(log: Log): (problem: Problem, request: Request, id: string) => void {
  return ({ name, detail, faults = [] }, { method, url }, id) => {
    const status = statusOf(name);
    if (status === 404 || status === 405) return;
    const [first] = faults;
    log(status >= 500 ? "warn" : "info", "door.refused", {
      ...{ reason: name, status, method, path: pathOf(url), text: detail },
      ...(first === undefined ? {} : { fault: `${first.pointer} ${first.detail}` }),
      ...(faults.length > 1 ? { faults: faults.length } : {}),
      request_id: id,
    });
  };
}

export type Fail = (request: Request, error: unknown) => Response;

/** Whatever is thrown is a bug of ours: the caller learns that it was not stored, the log learns why. */
export function createFail(refuse: Refuse, log: Log): Fail {
  return (request, error) => {
    log("error", "door.failed", {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return refuse(request, {
      name: "internal_server_error",
      detail: "Something went wrong here. The log says more.",
    });
  };
}

/** The path of an absolute address, without its query. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
