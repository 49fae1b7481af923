// Addresses that get no mail any more, and why; one can be added, and one can be let go.
import { useId, useRef, useState } from "preact/hooks";
import type { ListView } from "../../mail/query.ts";
import { type SuppressionView, suppressionOrigins } from "../../mail/suppression.ts";
import { mayManage } from "../api.ts";
import { useLoad } from "../load.ts";
import { cursorsOf, listPath, type Query } from "../model/listing.ts";
import { act } from "../notices.ts";
import { Action } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Pager } from "../parts/pager.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { None, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

export function Suppressions({ query }: { readonly query: Query }) {
  const { loaded, again } = useLoad<ListView<SuppressionView>>(
    listPath("/suppressions", query, ["origin"]),
  );
  const origin = query["origin"] ?? "";
  return (
    <>
      <Title text="Suppressions" />
      <Add again={again} />
      <Origins origin={origin} />
      <Show loaded={loaded} again={again} what="the suppressions">
        {(list) =>
          list.data.length === 0 ? (
            <Empty>No address is suppressed{origin === "" ? "" : ` by ${origin}`}.</Empty>
          ) : (
            <>
              <Rows list={list} again={again} />
              <Pager {...cursorsOf("suppressions", query, list)} />
            </>
          )
        }
      </Show>
    </>
  );
}

function Origins({ origin }: { readonly origin: string }) {
  return (
    <nav class="tabs" aria-label="By origin">
      {["", ...suppressionOrigins].map((one) => (
        <a
          key={one}
          href={linkTo("suppressions", [], { origin: one })}
          aria-current={one === origin ? "true" : undefined}
        >
          {one === "" ? "all" : one}
        </a>
      ))}
    </nav>
  );
}

function Add({ again }: { readonly again: () => Promise<void> }) {
  const form = useRef<HTMLFormElement>(null);
  const [isRunning, setIsRunning] = useState(false);
  const [email, reason] = [useId(), useId()];
  if (!mayManage()) return null;
  const add = async (data: FormData): Promise<void> => {
    const address = String(data.get("email")).trim();
    setIsRunning(true);
    const isDone = await act<SuppressionView & { readonly added: boolean }>({
      ...{ method: "POST", path: "/suppressions" },
      body: { email: address, reason: String(data.get("reason")).trim() },
      done: (row) =>
        row.added
          ? `${row.email} gets no mail any more.`
          : `${row.email} was suppressed before, by ${row.origin}.`,
      failed: `${address} was not added.`,
    });
    setIsRunning(false);
    if (isDone) form.current?.reset();
    await again();
  };
  return (
    <form
      ref={form}
      class="search"
      aria-label="Suppress an address"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isRunning) void add(new FormData(event.currentTarget));
      }}
    >
      <div class="grow">
        <label for={email}>Address</label>
        <input id={email} name="email" type="email" required autocomplete="off" />
      </div>
      <div class="grow">
        <label for={reason}>Reason</label>
        <input id={reason} name="reason" maxLength={300} autocomplete="off" />
      </div>
      <button type="submit" class="main" aria-disabled={isRunning} aria-busy={isRunning}>
        Suppress
      </button>
    </form>
  );
}

interface RowsProps {
  readonly list: ListView<SuppressionView>;
  readonly again: () => Promise<void>;
}

function Rows({ list, again }: RowsProps) {
  const remove = (email: string): Promise<unknown> =>
    act<{ readonly email: string }>({
      ...{ method: "DELETE", path: `/suppressions/${encodeURIComponent(email)}` },
      done: (gone) => `${gone.email} gets mail again.`,
      failed: `${email} was not removed.`,
    }).finally(again);
  const deeds = mayManage() ? [{ name: "Actions", isQuiet: true }] : [];
  return (
    <Table
      caption="Suppressed addresses, newest first"
      columns={[
        { name: "Address" },
        { name: "Origin", isWide: true },
        { name: "Since, UTC", isWide: true },
        { name: "Reason", isWide: true },
        { name: "Message", isWide: true },
        ...deeds,
      ]}
    >
      {list.data.map(({ id, email, origin, created_at: at, reason, source_id: source }) => (
        <tr key={id}>
          <th scope="row">
            {email}
            <p class="narrow dim">
              {origin}, <When at={at} />
            </p>
          </th>
          <td class="wide">{origin}</td>
          <td class="wide">
            <When at={at} />
          </td>
          <td class="wide">{reason ?? <None />}</td>
          <td class="wide">
            {source === null ? (
              <None />
            ) : (
              <a href={linkTo("messages", [source])}>that brought it</a>
            )}
          </td>
          {mayManage() && (
            <td>
              <Action isSmall of={email} ask={removing(email)} run={() => remove(email)}>
                Remove
              </Action>
            </td>
          )}
        </tr>
      ))}
    </Table>
  );
}

function removing(email: string) {
  return {
    title: `Send to ${email} again?`,
    text:
      "The address and why it was suppressed are forgotten. If it still bounces, or its owner " +
      "complains again, your other mail suffers for it.",
    yes: "Remove it from the list",
  };
}
