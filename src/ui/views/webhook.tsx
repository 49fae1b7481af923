// One endpoint: its state, and what it was sent, with what came of it.
import { grouped } from "../../base/human.ts";
import type { ListView } from "../../mail/query.ts";
import type { HookEventView, HookStatus, WebhookView } from "../../mail/webhook.ts";
import { mayManage } from "../api.ts";
import { useLoad } from "../load.ts";
import { cursorsOf, listPath, type Query } from "../model/listing.ts";
import type { Tone } from "../model/words.ts";
import { Action, Actions } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Pager } from "../parts/pager.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Due, Fact, Facts, Mark, None, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { replay, webhookPath } from "../webhook.ts";
import { eventsText, Switch, WebhookState } from "./webhooks.tsx";

const EVERY_MS = 3000;

interface WebhookProps {
  readonly id: string;
  readonly query: Query;
}

export function Webhook({ id, query }: WebhookProps) {
  const { loaded, again } = useLoad<WebhookView>(webhookPath(id), EVERY_MS);
  return (
    <>
      <Title text={loaded.at === "ready" ? loaded.value.endpoint : "Webhook"}>
        {loaded.at === "ready" && (
          <Actions>
            <Switch webhook={loaded.value} again={again} />
          </Actions>
        )}
      </Title>
      <p>
        <a href={linkTo("webhooks")}>All webhooks</a>
      </p>
      <Show loaded={loaded} again={again} what="the webhook">
        {(webhook) => (
          <Facts>
            <Fact name="State">
              <WebhookState webhook={webhook} />
            </Fact>
            <Fact name="Told of">{eventsText(webhook)}</Fact>
            <Fact name="Still to take">{grouped(webhook.pending_events ?? 0)} events</Fact>
            <Fact name="Made">
              <When at={webhook.created_at} /> UTC
            </Fact>
          </Facts>
        )}
      </Show>
      <Deliveries id={id} query={query} />
    </>
  );
}

export function hookTone(status: HookStatus): Tone {
  return { pending: "wait", success: "good", failed: "bad" }[status] as Tone;
}

function Deliveries({ id, query }: WebhookProps) {
  const { loaded, again } = useLoad<ListView<HookEventView>>(
    listPath(`${webhookPath(id)}/events`, query, []),
    EVERY_MS,
  );
  return (
    <section>
      <h2>Deliveries</h2>
      <Show loaded={loaded} again={again} what="the deliveries">
        {(list) =>
          list.data.length === 0 ? (
            <Empty>Nothing was sent yet that the log still tells.</Empty>
          ) : (
            <>
              <Rows id={id} events={list.data} again={again} />
              <Pager {...cursorsOf("webhooks", query, list, [id])} newer={null} />
            </>
          )
        }
      </Show>
    </section>
  );
}

interface RowsProps {
  readonly id: string;
  readonly events: readonly HookEventView[];
  readonly again: () => Promise<void>;
}

function Rows({ id, events, again }: RowsProps) {
  const deeds = mayManage() ? [{ name: "Actions", isQuiet: true }] : [];
  return (
    <Table
      caption="Events that were sent, newest first"
      columns={[
        { name: "Event" },
        { name: "State" },
        { name: "Attempts", isNumber: true, isWide: true },
        { name: "Next attempt", isWide: true },
        { name: "Changed, UTC", isWide: true },
        { name: "Message", isWide: true },
        ...deeds,
      ]}
    >
      {events.map((one) => (
        <tr key={one.id}>
          <th scope="row">
            <a href={linkTo("webhooks", [id, one.id])}>{one.type}</a>
          </th>
          <td>
            <Mark tone={hookTone(one.status)}>{one.status}</Mark>
          </td>
          <td class="number wide">{one.attempts}</td>
          <td class="wide">
            <Due at={one.next_attempt_at} />
          </td>
          <td class="wide">
            <When at={one.created_at} />
          </td>
          <td class="wide">
            {one.email_id === null ? (
              <None />
            ) : (
              <a href={linkTo("messages", [one.email_id])}>show</a>
            )}
          </td>
          {mayManage() && (
            <td>
              <Action isSmall of={one.id} run={() => replay(id, one.id).finally(again)}>
                Replay
              </Action>
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}
