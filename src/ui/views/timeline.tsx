// The road of a message, line by line; what was said in an attempt lies within its line.
import { useMemo } from "preact/hooks";
import type { EventView } from "../../mail/eventView.ts";
import type { EmailView } from "../../mail/query.ts";
import { milliseconds } from "../model/format.ts";
import { type TimelineLine, timelineOf, waitText } from "../model/timeline.ts";
import { Empty } from "../parts/faults.tsx";
import { Mark, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { Dialogue } from "./dialogue.tsx";

interface TimelineProps {
  readonly events: readonly EventView[];
  readonly email: EmailView;
}

export function Timeline({ events, email }: TimelineProps) {
  const lines = useMemo(() => timelineOf(events, email.created_at), [events, email.created_at]);
  const trace = events.find(({ data }) => data.postrider.trace_id !== null)?.data.postrider
    .trace_id;
  if (lines.length === 0)
    return <Empty>Nothing is told of it: its history has been cleared.</Empty>;
  // What went wrong last is what one comes to read.
  const asked = lines.findLast((one) => one.tone !== "good" && one.conversations.length > 0)?.key;
  const isMany = email.recipients.length > 1;
  return (
    <>
      {trace != null && (
        <p class="dim">
          Trace <a href={linkTo("messages", [], { trace })}>{trace}</a>
        </p>
      )}
      <ol class="timeline">
        {lines.map((line) => (
          <Line key={line.key} line={line} withRecipient={isMany} isOpen={line.key === asked} />
        ))}
      </ol>
    </>
  );
}

interface LineProps {
  readonly line: TimelineLine;
  readonly withRecipient: boolean;
  readonly isOpen: boolean;
}

function Line({ line, withRecipient, isOpen }: LineProps) {
  const { at, sinceMs, tone, title, text, facts, recipient, isDoubtful, waitedMs, waits } = line;
  return (
    <li class={tone}>
      {(waitedMs !== null || waits.length > 0) && (
        <div class="waited dim">
          {waitedMs !== null && <p>{waitText(waitedMs)}</p>}
          {waits.map((text) => (
            <p key={text}>{text}</p>
          ))}
        </div>
      )}
      <div class="head">
        <When at={at} ms />
        <span class="dim since">+{milliseconds(Math.max(0, sinceMs))}</span>
        <Mark tone={tone}>{title}</Mark>
        {withRecipient && recipient !== "" && <span>{recipient}</span>}
        {isDoubtful && <Mark tone="bad">doubt: it may arrive twice</Mark>}
      </div>
      {text !== "" && <p class="said">{text}</p>}
      {facts.length > 0 && (
        <dl class="line">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {line.conversations.map((one) => (
        <Dialogue key={one.session + one.at} conversation={one} isOpen={isOpen} />
      ))}
      {line.isSilent && <p class="dim">What was said is not kept.</p>}
    </li>
  );
}
