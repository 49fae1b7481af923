// Where one message is, and why: its recipients, its road step by step with what was said, its source, and what can be done.
import { useEffect, useState } from "preact/hooks";
import type { EventView } from "../../mail/eventView.ts";
import type { EmailView, ListView } from "../../mail/query.ts";
import { warnings } from "../../mail/warning.ts";
import { useLoad } from "../load.ts";
import { doableTo } from "../model/message.ts";
import { Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Copy, Due, Fact, Facts, None, State, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { MessageDeeds } from "./messageDeeds.tsx";
import { Source } from "./source.tsx";
import { Timeline } from "./timeline.tsx";
import { WhyNow } from "./whyNow.tsx";

const EVERY_MS = 3000;
/** What is final stays as it is, but for a report that comes back. */
const FINAL_EVERY_MS = 15_000;

export function Message({ id }: { readonly id: string }) {
  const path = `/emails/${encodeURIComponent(id)}`;
  const [everyMs, setEveryMs] = useState(EVERY_MS);
  const email = useLoad<EmailView>(path, everyMs);
  const events = useLoad<ListView<EventView>>(`${path}/events?smtp=1`, everyMs);
  const again = async (): Promise<void> => {
    await Promise.all([email.again(), events.again()]);
  };
  const { loaded } = email;
  const isFinal = loaded.at === "ready" && !doableTo(loaded.value).isOpen;
  useEffect(() => setEveryMs(isFinal ? FINAL_EVERY_MS : EVERY_MS), [isFinal]);
  const subject = loaded.at === "ready" ? loaded.value.subject || "(no subject)" : "Message";
  return (
    <>
      <Title text={subject}>
        {loaded.at === "ready" && <MessageDeeds email={loaded.value} again={again} />}
      </Title>
      <Show loaded={loaded} again={again} what="the message">
        {(value) => (
          <>
            <Head email={value} />
            <Recipients email={value} />
            <WhyNow email={value} />
            <section>
              <h2>Timeline</h2>
              <Show loaded={events.loaded} again={events.again} what="the timeline">
                {({ data }) => <Timeline events={data} email={value} />}
              </Show>
            </section>
            <Source path={`${path}/raw`} id={id} />
          </>
        )}
      </Show>
    </>
  );
}

function Head({ email }: { readonly email: EmailView }) {
  const { id, message_id: messageId, from, created_at: at, scheduled_at: due, tags } = email;
  const { reference } = email;
  return (
    <Facts>
      <Fact name="Id">
        <code>{id}</code> <Copy text={id} what="the id" />
      </Fact>
      <Fact name="Message-ID">
        <code>{messageId}</code> <Copy text={messageId} what="the Message-ID" />
      </Fact>
      <Fact name="From">{from}</Fact>
      <Fact name="Accepted">
        <When at={at} ms /> UTC, <When at={at} relative />
      </Fact>
      {due !== null && (
        <Fact name="Scheduled for">
          <When at={due} /> UTC, <When at={due} relative />
        </Fact>
      )}
      <Fact name="Priority">{email.priority}</Fact>
      {reference !== null && (
        <Fact name="Reference">
          <a href={linkTo("messages", [], { reference })}>{reference}</a>
        </Fact>
      )}
      {tags.length > 0 && (
        <Fact name="Tags">
          {tags.map(({ name, value }) => (
            <a key={name} class="tag" href={linkTo("messages", [], { tag: `${name}=${value}` })}>
              {name}={value}
            </a>
          ))}
        </Fact>
      )}
      {Object.entries(email.metadata ?? {}).map(([name, value]) => (
        <Fact key={name} name={name}>
          {value}
        </Fact>
      ))}
      {email.warnings.map((code) => (
        <Fact key={code} name="Warning">
          {(warnings as Readonly<Record<string, string>>)[code] ?? code}
        </Fact>
      ))}
    </Facts>
  );
}

function Recipients({ email }: { readonly email: EmailView }) {
  const { recipients } = email;
  const { isOpen } = doableTo(email);
  return (
    <section>
      <h2>Recipients</h2>
      <Table
        caption={isOpen ? "Recipients, some on their way" : "Recipients, all final"}
        columns={[
          { name: "Address" },
          { name: "State" },
          { name: "Attempts", isNumber: true, isWide: true },
          { name: "Next attempt", isWide: true },
          { name: "Last word", isWide: true },
        ]}
      >
        {recipients.map(({ address, state, attempts, next_attempt_at: next, last }) => (
          <tr key={address}>
            <th scope="row">
              <a href={linkTo("messages", [], { to: address })}>{address}</a>
              <p class="narrow dim">{last ?? ""}</p>
            </th>
            <td>
              <State state={state} />
              {next !== null && (
                <p class="narrow dim">
                  <Due at={next} />
                </p>
              )}
            </td>
            <td class="number wide">{attempts}</td>
            <td class="wide">
              <Due at={next} />
            </td>
            <td class="wide">{last ?? <None />}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
