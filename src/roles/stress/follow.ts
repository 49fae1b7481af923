// What becomes of the messages of a load, as the daemon's events tell it. On a daemon of its own the sink tells the deliveries, which
// costs the daemon nothing, and only trouble is asked for; elsewhere the stream of events is followed.
import { type Clock, pause } from "../../base/clock.ts";
import type { DaemonClient } from "../../commands/daemonClient.ts";
import { exitCodes } from "../../commands/exitCodes.ts";
import { createEventReader } from "../../commands/tail.ts";
import { problemText } from "../../commands/target.ts";
import type { EventView } from "../../mail/eventView.ts";
import type { Book, Trouble } from "../../stress/book.ts";
import type { Addresses } from "../../stress/mix.ts";

export interface Following {
  /** Everything that was told by now is in the books. */
  stop(): Promise<void>;
}

export interface FollowDeps {
  readonly client: DaemonClient;
  readonly clock: Clock;
  readonly book: Pick<Book, "delivered" | "troubled">;
  readonly addresses: Addresses;
  readonly domain: string;
  /** The id of the last event before the load. */
  readonly after: number;
}

const ASK_EVERY_MS = 500;
const AGAIN_MS = 500;
/** A daemon that was just under load may be busy for a moment. */
const TRIES_MAX = 10;
const PAGE = 100;

const troubleOf: Readonly<Record<string, Trouble>> = {
  "email.delivery_delayed": "deferred",
  "email.bounced": "bounced",
  "email.failed": "expired",
  "email.suppressed": "suppressed",
  "email.canceled": "canceled",
};
const troubleTypes = Object.keys(troubleOf).join(",");

export interface Unreadable {
  readonly code: number;
  readonly text: string;
}

/** Where the tale begins, or why it cannot be read. */
export async function lastEventId(client: DaemonClient): Promise<number | Unreadable> {
  const said = await client.ask({ method: "GET", path: "/events?limit=1" });
  if (said.kind === "unreachable") return { code: exitCodes.unreachable, text: said.why };
  if (said.kind === "forbidden") return { code: exitCodes.noPermission, text: said.why };
  if (said.status === 200) {
    const { data } = said.body as { readonly data: readonly { readonly id: number }[] };
    return data[0]?.id ?? 0;
  }
  const isKey = said.status === 401 || said.status === 403;
  const code = isKey ? exitCodes.noPermission : exitCodes.failed;
  return { code, text: `the events cannot be read: ${problemText(said)}` };
}

export function followTrouble(deps: FollowDeps): Following {
  const { client, clock } = deps;
  let { after } = deps;
  const over = Promise.withResolvers<void>();
  let isOver = false;
  /** False: the daemon could not tell just now. */
  const pass = async (): Promise<boolean> => {
    for (let more = true; more;) {
      const path = `/events?after=${after}&type=${troubleTypes}&limit=${PAGE}`;
      const said = await client.ask({ method: "GET", path });
      if (said.kind !== "answer" || said.status !== 200) return false;
      const page = said.body as EventPage;
      for (const event of page.data) note(event, deps);
      more = page.has_more;
      after = page.next;
    }
    return true;
  };
  const run = async (): Promise<void> => {
    while (!isOver) {
      await pass();
      await Promise.race([over.promise, pause(clock, ASK_EVERY_MS)]);
    }
  };
  const running = run();
  return {
    async stop() {
      isOver = true;
      over.resolve();
      await running;
      for (let tries = TRIES_MAX; tries > 0 && !(await pass()); tries--)
        await pause(clock, ASK_EVERY_MS);
    },
  };
}

interface EventPage {
  readonly data: readonly EventView[];
  readonly has_more: boolean;
  readonly next: number;
}

export function followStream(deps: FollowDeps): Following {
  const { client, clock, domain, addresses } = deps;
  const over = Promise.withResolvers<void>();
  let isOver = false;
  let last = String(deps.after);
  const mark = addresses.tag;
  const hear = (id: string, data: string): void => {
    last = id;
    if (data.includes(mark)) note(JSON.parse(data) as EventView, deps);
  };
  const run = async (): Promise<void> => {
    while (!isOver) {
      const types = `delivered,${troubleTypes}`;
      const query = new URLSearchParams({ type: types, domain, after: last });
      const read = createEventReader({ hear, begun: () => {}, lost: () => {} });
      await client.follow(`/events/stream?${query.toString()}`, read, over.promise);
      // A daemon that comes back goes on where it was.
      if (!isOver) await Promise.race([over.promise, pause(clock, AGAIN_MS)]);
    }
  };
  const running = run();
  return {
    async stop() {
      isOver = true;
      over.resolve();
      await running;
    },
  };
}

function note({ type, created_at: at, data }: EventView, { addresses, book }: FollowDeps): void {
  const n = addresses.numberIn(data.to[0] ?? "");
  if (n === undefined) return;
  const trouble = troubleOf[type];
  if (type === "email.delivered") return book.delivered(n, Date.parse(at));
  if (trouble === undefined) return;
  const { class: kind, code, next_attempt_at: next } = data.postrider;
  const label = [kind, code].filter((word) => word !== null).join(" ");
  book.troubled(n, trouble, label, next === null ? null : Date.parse(next));
}
