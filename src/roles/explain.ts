// `explain DOMAIN` asks all threads: the queue for the road and the site's health, the senders for what they do there and may do, the
// reader for what waits.
import { type CommandAnswer, done, type Order, type SenderCommand } from "../mail/command.ts";
import {
  type ExplainView,
  reasonsOf,
  type RouteView,
  type SenderSiteView,
} from "../mail/explain.ts";
import type { Answer, Query, SiteDepth } from "../mail/query.ts";

export interface ExplainDeps {
  readonly order: Order;
  readonly askSenders: (command: SenderCommand) => Promise<readonly CommandAnswer[]>;
  readonly ask: (query: Query) => Promise<Answer>;
}

export type Explain = (domain: string) => Promise<CommandAnswer>;

export function createExplain({ order, askSenders, ask }: ExplainDeps): Explain {
  return async (domain) => {
    const said = await order({ do: "queue.route", domain });
    if (said.kind !== "done") return said;
    const road = said.value as RouteView;
    const site = road.route.result === "route" ? road.route.site : null;
    const [told, depths] = await Promise.all([
      site === null ? [] : askSenders({ do: "sender.sites", site }),
      ask({ ask: "sites", names: [...(site === null ? [] : [site]), `domain:${domain}`, ""] }),
    ]);
    const senders = told.flatMap((answer) =>
      answer.kind === "done" ? (answer.value as SenderSiteView[]) : [],
    );
    const lines = depths.kind === "found" ? (depths.view as SiteDepth[]) : [];
    const view = { ...road, senders, lines };
    return done({
      object: "explain",
      ...view,
      reasons: reasonsOf(view),
    } satisfies ExplainView);
  };
}
