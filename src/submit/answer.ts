// Answers on the wire: JSON written by hand where it is hot, CBOR for whoever speaks it, problems in one place.
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
  if (accept !== null && accept.includes(CBOR_TYPE)) return true;
  if (accept !== null && accept !== "*/*") return false;
  return essenceOf(request.headers.get("content-type")) === CBOR_TYPE;
}

export function answer(request: Request, status: number, body: unknown): Response {
  if (wantsCbor(request))
    return new Response(encodeCbor(body), { status, headers: { "content-type": CBOR_TYPE } });
  return new Response(JSON.stringify(body), { status, headers: { "content-type": JSON_TYPE } });
}

const REQUEST_ID_BYTES = 9;

export type Refuse = (request: Request, problem: Problem) => Response;

export function createRefuse(random: Random, count: (problem: Problem) => void): Refuse {
  return (request, problem) => {
    count(problem);
    const id = Buffer.from(random.bytes(REQUEST_ID_BYTES)).toString("base64url");
    const body = problemBody(problem, pathOf(request.url), `req_${id}`);
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

/** The path of an absolute address, without its query. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
