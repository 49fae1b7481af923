// The built-in inbox: what `capture` and `*@postrider.test` took instead of the world.
import type { InboxItem, ListView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import { bytes, counted } from "../model/format.ts";
import { cursorsOf, listPath, type Query } from "../model/listing.ts";
import { recipientsText } from "../model/message.ts";
import { act } from "../notices.ts";
import { Action, Actions } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Pager } from "../parts/pager.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

const EVERY_MS = 3000;

export function Inbox({ query }: { readonly query: Query }) {
  const path = listPath("/inbox", query, ["to", "from", "subject"]);
  const { loaded, again } = useLoad<ListView<InboxItem>>(path, EVERY_MS);
  const clear = (): Promise<unknown> =>
    act<{ readonly count: number }>({
      ...{ method: "DELETE", path: "/inbox" },
      done: ({ count }) => `${counted(count, "message")} deleted.`,
      failed: "The inbox was not cleared.",
    }).finally(again);
  const hasSome = loaded.at === "ready" && loaded.value.data.length > 0;
  return (
    <>
      <Title text="Inbox">
        {hasSome && (
          <Actions>
            <Action run={clear} ask={clearing}>
              Delete all
            </Action>
          </Actions>
        )}
      </Title>
      <Show loaded={loaded} again={again} what="the inbox">
        {(list) =>
          list.data.length === 0 ? (
            <Empty>
              Nothing is here. Mail to <code>delivered@postrider.test</code> comes here, and all
              mail while <code>capture</code> is on.
            </Empty>
          ) : (
            <>
              <Rows items={list.data} />
              <Pager {...cursorsOf("inbox", query, list)} />
            </>
          )
        }
      </Show>
    </>
  );
}

const clearing = {
  title: "Delete everything in the inbox?",
  text: "All messages that were captured are deleted from the disk. This cannot be undone.",
  yes: "Delete all",
};

function Rows({ items }: { readonly items: readonly InboxItem[] }) {
  return (
    <Table
      caption="Captured messages, newest first"
      columns={[
        { name: "Received, UTC", isWide: true },
        { name: "Subject and recipients" },
        { name: "From", isWide: true },
        { name: "Size", isNumber: true },
      ]}
    >
      {items.map((one) => (
        <tr key={one.id}>
          <td class="wide">
            <When at={one.received_at} />
          </td>
          <th scope="row">
            <a href={linkTo("inbox", [one.id])}>{one.subject || "(no subject)"}</a>
            <p class="dim">{recipientsText(one.envelope.to)}</p>
            <p class="narrow dim">
              <When at={one.received_at} />
            </p>
          </th>
          <td class="wide">{one.from ?? one.envelope.from}</td>
          <td class="number">{bytes(one.size_bytes)}</td>
        </tr>
      ))}
    </Table>
  );
}
