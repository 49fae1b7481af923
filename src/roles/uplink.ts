// The reader knows what the files hold, and the queue thread how our own line is: GET /queue shows both.
import type { Answer, Query, QueueView, UplinkView } from "../mail/query.ts";

type Ask = (query: Query) => Promise<Answer>;

export function withUplink(ask: Ask, uplink: () => UplinkView): Ask {
  return async (query) => {
    const answer = await ask(query);
    if (query.ask !== "queue" || answer.kind !== "found") return answer;
    const view: QueueView = { ...(answer.view as QueueView), uplink: uplink() };
    return { ...answer, view };
  };
}
