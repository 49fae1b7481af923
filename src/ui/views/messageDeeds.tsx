// What can be done to a message as it stands. The server decides and answers; what stood on the page a moment ago may be past.
import { useId, useState } from "preact/hooks";
import type { EmailView } from "../../mail/query.ts";
import { counted } from "../model/format.ts";
import { doableTo } from "../model/message.ts";
import { act } from "../notices.ts";
import { Action, Actions } from "../parts/action.tsx";

interface DeedsProps {
  readonly email: EmailView;
  readonly again: () => Promise<void>;
}

interface Retried {
  readonly requeued: number;
  readonly hastened: number;
}

export function MessageDeeds({ email, again }: DeedsProps) {
  const { id } = email;
  const doable = doableTo(email);
  const path = `/emails/${encodeURIComponent(id)}`;
  const retry = (): Promise<unknown> =>
    act<Retried>({
      ...{ method: "POST", path: `${path}/retry` },
      done: ({ requeued, hastened }) =>
        [
          requeued > 0 ? `${counted(requeued, "recipient")} queued again.` : "",
          hastened > 0 ? `${counted(hastened, "recipient")} due now.` : "",
        ].join(" "),
      failed: "The message was not retried.",
    }).finally(again);
  const cancel = (): Promise<unknown> =>
    act<{ readonly canceled: number; readonly unchanged: number }>({
      ...{ method: "POST", path: `${path}/cancel` },
      done: ({ canceled, unchanged }) =>
        `${counted(canceled, "recipient")} canceled` +
        (unchanged > 0 ? `; ${unchanged} were past it and stay as they are.` : "."),
      failed: "The message was not canceled.",
    }).finally(again);
  const move = (verb: "hold" | "release"): Promise<unknown> =>
    act({
      ...{ method: "POST", path: `/queue/${verb}`, body: { id } },
      done: () => (verb === "hold" ? "The message is held." : "The message is released."),
      failed: verb === "hold" ? "The message is not held." : "The message is not released.",
    }).finally(again);
  return (
    <Actions>
      {doable.retry === "hasten" && <Action run={retry}>Retry now</Action>}
      {doable.retry === "requeue" && (
        <Action run={retry} ask={requeueing}>
          Queue again
        </Action>
      )}
      {doable.hold && <Action run={() => move("hold")}>Hold</Action>}
      {doable.release && <Action run={() => move("release")}>Release</Action>}
      {doable.reschedule && <Reschedule path={path} again={again} />}
      {doable.cancel && (
        <Action run={cancel} ask={canceling}>
          Cancel
        </Action>
      )}
    </Actions>
  );
}

const canceling = {
  title: "Cancel this message?",
  text:
    "Recipients that were not reached yet will never get it. What a server has taken stays taken. " +
    "This cannot be undone.",
  yes: "Cancel the message",
};

const requeueing = {
  title: "Queue this message again?",
  text:
    "The recipients that it gave up begin anew. Once a server takes the message, it cannot be " +
    "called back.",
  yes: "Queue it again",
};

interface RescheduleProps {
  readonly path: string;
  readonly again: () => Promise<void>;
}

function Reschedule({ path, again }: RescheduleProps) {
  const field = useId();
  const [time, setTime] = useState("");
  const move = (): Promise<unknown> =>
    act({
      ...{ method: "PATCH", path, body: { scheduled_at: `${time}:00Z` } },
      done: () => `It is scheduled for ${time.replace("T", " ")} UTC.`,
      failed: "The time was not changed.",
    }).finally(again);
  return (
    <span class="inline">
      <label for={field}>New time, UTC</label>
      <input
        id={field}
        type="datetime-local"
        value={time}
        onInput={(event) => setTime(event.currentTarget.value)}
      />
      {time !== "" && <Action run={move}>Reschedule</Action>}
    </span>
  );
}
