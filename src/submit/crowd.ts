// How many requests may be open at a time: in all, from one address, and with bulk mail. The runtime bounds none of it. Nobody is
// counted while there are few, so an ordinary request pays one comparison.
import type { Accept, AcceptAnswer } from "../mail/submission.ts";
import type { Refuse } from "./answer.ts";
import { networkOf } from "./auth.ts";
import type { Problem } from "./problem.ts";

/** Each holds a connection, and what of its body is not yet stored. */
export const REQUESTS_MAX = 4096;
/** So many are let in without a look at who they are. */
export const REQUESTS_FREE = 1024;
/** Of those that are looked at, one address may have so many: no client keeps out all others. */
const CLIENT_REQUESTS_MAX = 1536;
/** Beyond it bulk mail is refused, so that there is room for what a person waits for. */
const BULK_REQUESTS_MAX = 3072;

const RETRY_S = 1;

export interface Crowd {
  /** Asked when more than REQUESTS_FREE are open, this one included. */
  enter(
    request: Request,
    open: number,
    address: string | null,
    go: () => Response | Promise<Response>,
  ): Response | Promise<Response>;
}

export function createCrowd(refuse: Refuse): Crowd {
  const byClient = new Map<string, number>();
  const leave = (client: string): void => {
    const left = (byClient.get(client) ?? 1) - 1;
    if (left === 0) byClient.delete(client);
    else byClient.set(client, left);
  };
  return {
    enter(request, open, address, go) {
      if (open > REQUESTS_MAX) return refuse(request, crowded("requests", REQUESTS_MAX));
      const client = networkOf(address ?? "");
      const there = byClient.get(client) ?? 0;
      if (there >= CLIENT_REQUESTS_MAX)
        return refuse(request, crowded("client_requests", CLIENT_REQUESTS_MAX));
      byClient.set(client, there + 1);
      return Promise.resolve(go()).finally(() => leave(client));
    },
  };
}

function crowded(limit: string, most: number): Problem {
  const whose = limit === "requests" ? "" : " from this address";
  return {
    name: "busy",
    limit,
    detail: `${most} requests${whose} are under way, which is as many as may be. Nothing was stored.`,
    retryAfterS: RETRY_S,
  };
}

/** The same, but for bulk mail while there is a crowd. */
export function keepRoom(accept: Accept, open: () => number): Accept {
  return (messages, once) =>
    messages[0]?.head.priority === 2 && open() > BULK_REQUESTS_MAX
      ? Promise.resolve(noRoom)
      : accept(messages, once);
}

const noRoom: AcceptAnswer = {
  kind: "refused",
  why: "busy",
  limit: "bulk_requests",
  retryAfterS: RETRY_S,
};
