// HEAD (RFC 9110 9.3.2): what GET would have said, without the body and with its length.
import type { Door, Peer } from "./door.ts";
import { EVENT_STREAM } from "./lasting.ts";

export async function answerHead(
  request: Request,
  peer: Peer,
  get: Door["fetch"],
): Promise<Response> {
  const { headers: fields, signal } = request;
  const asked = new Request(request.url, { headers: fields, signal });
  // A listener knows only the requests that came by it.
  const own: Peer = { caller: peer.caller, addressOf: () => peer.addressOf(request) };
  const response = await get(asked, own);
  const { status, body } = response;
  const headers = new Headers(response.headers);
  const isEndless = headers.get("content-type") === EVENT_STREAM;
  // Nobody else tells a stream that nobody reads it.
  if (isEndless || headers.has("content-length")) await body?.cancel();
  else headers.set("content-length", String((await response.bytes()).length));
  return new Response(null, { status, headers });
}
