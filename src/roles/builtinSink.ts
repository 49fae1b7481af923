// `*@postrider.test` is taken by the receiving server inside this process (INTERFACE 2): the sender's own session talks to the sink's
// own dialogue, only the socket between them is missing. What is captured comes here as well, whatever its domain; the inbox keeps both.
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Connect, Connection, Listener } from "../deliver/connection.ts";
import { createDialogue, createSinkMemory, type SinkAction } from "../sink/dialogue.ts";
import type { InboxDraft, InboxEnvelope, InboxWriter } from "./inboxWriter.ts";

/** Only the headers are of use here: the inbox hears the whole message by its own tap. */
const KEPT_BYTES = 4096;
/** Whatever the door has taken (`max_message_bytes`). */
const SIZE_MAX = 2_000_000_000;
/** Who captures mail to strangers does not want their names to mean anything here. */
const SCENARIO_DOMAIN = "postrider.test";

/** A `Connect` that reaches the built-in sink, whatever the target. */
export function createBuiltinSink(deps: {
  readonly clock: Clock;
  readonly random: Random;
  readonly hostname: string;
  readonly inbox: Pick<InboxWriter, "draft">;
}): Connect {
  const { inbox, ...own } = deps;
  const memory = createSinkMemory();
  return () => {
    const drafts = createDrafts(inbox);
    const dialogue = createDialogue({
      ...own,
      memory,
      keptBytes: KEPT_BYTES,
      sizeMax: SIZE_MAX,
      scenarioDomain: SCENARIO_DOMAIN,
      tap: drafts.open,
    });
    return Promise.resolve(connectionTo(dialogue, drafts, deps.clock));
  };
}

/** Messages of one connection that have begun; which of them are taken is known behind their dots. */
function createDrafts(inbox: Pick<InboxWriter, "draft">) {
  let open: InboxDraft[] = [];
  /** Since the last settling. */
  let begun = false;
  const dropAll = (drafts: readonly InboxDraft[]): void => drafts.forEach((one) => one.drop());
  return {
    open(envelope: InboxEnvelope): InboxDraft {
      const draft = inbox.draft(envelope);
      open.push(draft);
      begun = true;
      return draft;
    },
    settle(actions: readonly SinkAction[]): void {
      if (open.length === 0) return;
      for (const action of actions) {
        if (action.kind !== "take") continue;
        const taken = open.find((one) => one === action.taken.tap);
        taken?.keep();
        open = open.filter((one) => one !== taken);
      }
      // Within a content nothing is said: one that has had its dot by now was refused, and only one that has just begun goes on.
      const ended = actions.length === 0 || begun ? open.slice(0, -1) : open;
      begun = false;
      dropAll(ended);
      open = open.filter((one) => !ended.includes(one));
    },
    close(): void {
      dropAll(open);
      open = [];
    },
  };
}

function connectionTo(
  dialogue: ReturnType<typeof createDialogue>,
  drafts: ReturnType<typeof createDrafts>,
  clock: Clock,
): Connection {
  let listener: Listener | undefined;
  let waiting: SinkAction[] = [...dialogue.greet()];
  let timer: Timer | undefined;
  let performing = false;
  let over = false;

  const end = (): void => {
    over = true;
    waiting = [];
    drafts.close();
    timer?.cancel();
  };
  /** Never within the caller's own `write`: a socket would not answer there either. */
  const wake = (): void => {
    if (performing || timer !== undefined || listener === undefined) return;
    performing = true;
    clock.soon(() => {
      performing = false;
      perform();
    });
  };
  const perform = (): void => {
    for (let action = waiting.shift(); action !== undefined && !over; action = waiting.shift()) {
      if (action.kind === "reply") listener?.data(Buffer.from(action.text, "latin1"));
      if (action.kind === "close") {
        end();
        listener?.closed("the built-in sink closed the connection");
      }
      if (action.kind === "delay") {
        timer = clock.after(action.delayMs, () => {
          timer = undefined;
          perform();
        });
        return;
      }
    }
  };

  return {
    kind: "connected",
    source: "",
    tls: null,
    listen(given) {
      listener = given;
      wake();
    },
    write(octets) {
      if (over) return true;
      // A copy, since the sink keeps parts of it; `slice` of a Buffer would be a view.
      const chunk = typeof octets === "string" ? Buffer.from(octets) : new Uint8Array(octets);
      const actions = dialogue.receive(chunk);
      drafts.settle(actions);
      waiting.push(...actions);
      wake();
      return true;
    },
    startTls: () => Promise.resolve({ kind: "failed", text: "the built-in sink speaks no TLS" }),
    close: end,
  };
}
