// One event at one endpoint: each attempt with its answer, and what is sent.
import type { ListView } from "../../mail/query.ts";
import type { HookAttemptView, HookEventView } from "../../mail/webhook.ts";
import { useLoad } from "../load.ts";
import { milliseconds } from "../model/format.ts";
import { Action, Actions } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Due, Fact, Facts, Mark, None, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { replay, webhookPath } from "../webhook.ts";
import { hookTone } from "./webhook.tsx";

const EVERY_MS = 3000;

interface EventProps {
  readonly webhook: string;
  readonly event: string;
}

type WithPayload = HookEventView & { readonly payload?: unknown };

export function WebhookEvent({ webhook, event }: EventProps) {
  const path = `${webhookPath(webhook)}/events/${encodeURIComponent(event)}`;
  const one = useLoad<WithPayload>(path, EVERY_MS);
  const attempts = useLoad<ListView<HookAttemptView>>(`${path}/attempts`, EVERY_MS);
  const again = async (): Promise<void> => {
    await Promise.all([one.again(), attempts.again()]);
  };
  return (
    <>
      <Title text={event}>
        <Actions>
          <Action run={() => replay(webhook, event).then(again)}>Replay</Action>
        </Actions>
      </Title>
      <p>
        <a href={linkTo("webhooks", [webhook])}>All deliveries of this webhook</a>
      </p>
      <Show loaded={one.loaded} again={one.again} what="the event">
        {(value) => <Known event={value} />}
      </Show>
      <section>
        <h2>Attempts</h2>
        <Show loaded={attempts.loaded} again={attempts.again} what="the attempts">
          {({ data }) => <Attempts attempts={data} />}
        </Show>
      </section>
    </>
  );
}

function Known({ event }: { readonly event: WithPayload }) {
  const { type, status, email_id: email, next_attempt_at: next, payload } = event;
  return (
    <>
      <Facts>
        <Fact name="Type">{type}</Fact>
        <Fact name="State">
          <Mark tone={hookTone(status)}>{status}</Mark>
        </Fact>
        <Fact name="Next attempt">
          <Due at={next} />
        </Fact>
        <Fact name="Message">
          {email === null ? <None /> : <a href={linkTo("messages", [email])}>{email}</a>}
        </Fact>
      </Facts>
      {payload != null && (
        <details>
          <summary>What is sent</summary>
          <pre class="source" tabIndex={0} role="region" aria-label="What is sent">
            {JSON.stringify(payload, null, 2)}
          </pre>
        </details>
      )}
    </>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly HookAttemptView[] }) {
  if (attempts.length === 0) return <Empty>None yet.</Empty>;
  return (
    <Table
      caption="Attempts, newest first"
      columns={[
        { name: "Sent, UTC" },
        { name: "Status", isNumber: true },
        { name: "Took", isNumber: true },
        { name: "Answer" },
      ]}
    >
      {attempts.map((one) => (
        <tr key={one.id}>
          <th scope="row">
            <When at={one.sent_at} ms />
          </th>
          <td class="number">{one.http_status_code === 0 ? "none" : one.http_status_code}</td>
          <td class="number">{milliseconds(one.duration_ms)}</td>
          <td class="said">{one.response}</td>
        </tr>
      ))}
    </Table>
  );
}
