// Who is told what happens, and whether they take it.
import type { ListView } from "../../mail/query.ts";
import type { WebhookView } from "../../mail/webhook.ts";
import { mayManage } from "../api.ts";
import { useLoad } from "../load.ts";
import { Action } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Mark, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { switchWebhook } from "../webhook.ts";

const EVERY_MS = 5000;

export function Webhooks() {
  const { loaded, again } = useLoad<ListView<WebhookView>>("/webhooks?limit=100", EVERY_MS);
  return (
    <>
      <Title text="Webhooks" />
      <Show loaded={loaded} again={again} what="the webhooks">
        {({ data }) =>
          data.length === 0 ? (
            <Empty>
              No endpoint is told. One is made by <code>POST /webhooks</code>, which shows its
              secret once; see <a href="/docs">the API</a>.
            </Empty>
          ) : (
            <Rows webhooks={data} again={again} />
          )
        }
      </Show>
    </>
  );
}

interface RowsProps {
  readonly webhooks: readonly WebhookView[];
  readonly again: () => Promise<void>;
}

function Rows({ webhooks, again }: RowsProps) {
  const deeds = mayManage() ? [{ name: "Actions", isQuiet: true }] : [];
  return (
    <Table
      caption="Webhooks"
      columns={[
        { name: "Endpoint" },
        { name: "State" },
        { name: "Events", isWide: true },
        { name: "Since, UTC", isWide: true },
        ...deeds,
      ]}
    >
      {webhooks.map((one) => (
        <tr key={one.id}>
          <th scope="row">
            <a href={linkTo("webhooks", [one.id])}>{one.endpoint}</a>
          </th>
          <td>
            <WebhookState webhook={one} />
          </td>
          <td class="wide">{eventsText(one)}</td>
          <td class="wide">
            <When at={one.created_at} />
          </td>
          {mayManage() && (
            <td>
              <Switch webhook={one} again={again} isSmall />
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}

export function eventsText({ events }: WebhookView): string {
  return events === null ? "all" : events.join(", ");
}

export function WebhookState({ webhook }: { readonly webhook: WebhookView }) {
  const { status, failing_since: since, disabled_reason: why } = webhook;
  if (status === "disabled")
    return (
      <>
        <Mark tone="quiet">disabled</Mark> {why ?? ""}
      </>
    );
  if (since === null) return <Mark tone="good">enabled</Mark>;
  return (
    <>
      <Mark tone="bad">failing</Mark> since <When at={since} />
    </>
  );
}

interface SwitchProps {
  readonly webhook: WebhookView;
  readonly again: () => Promise<void>;
  readonly isSmall?: boolean;
}

export function Switch({ webhook, again, isSmall = false }: SwitchProps) {
  return (
    <Action
      isSmall={isSmall}
      of={webhook.endpoint}
      run={() => switchWebhook(webhook).finally(again)}
    >
      {webhook.status === "enabled" ? "Disable" : "Enable"}
    </Action>
  );
}
