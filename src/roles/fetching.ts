// Attachments by URL, fetched by the guarded client of the web: what it says in its words becomes a sentence for the caller.
import type { FetchAttachment } from "../submit/remote.ts";
import type { WebClient } from "../web/client.ts";

export function fetchAttachments(client: Pick<WebClient, "get">): FetchAttachment {
  return async (ask) => {
    const reply = await client.get(ask);
    if (reply.kind === "reply") {
      if (reply.status === 200)
        return { kind: "fetched", type: reply.headers.get("content-type") ?? null };
      const moved = reply.status >= 300 && reply.status < 400 ? " Redirects are not followed." : "";
      return { kind: "refused", why: `The server answered ${reply.status}.${moved}` };
    }
    // What the name resolves to in here is not for everybody who may send.
    if (reply.why === "forbidden")
      return { kind: "refused", why: "Its address is not open to requests from here." };
    return { kind: "refused", why: reply.text };
  };
}
