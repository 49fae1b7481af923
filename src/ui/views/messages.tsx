// The search for messages: the form, what was found, page by page. The search stands in the address, so it can be sent to somebody.
import { useEffect, useRef } from "preact/hooks";
import { recipientStates } from "../../mail/state.ts";
import type { EmailView, ListView } from "../../mail/query.ts";
import { takeWish } from "../keys.ts";
import { useLoad } from "../load.ts";
import { cursorsOf, type Query } from "../model/listing.ts";
import { recipientsText } from "../model/message.ts";
import {
  emailsPath,
  fieldFor,
  idIn,
  queryOf,
  type Search,
  type SearchField,
  searchFields,
  searchIn,
} from "../model/search.ts";
import { Empty, Show } from "../parts/faults.tsx";
import { Pager } from "../parts/pager.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { States, When } from "../parts/words.tsx";
import { goTo } from "../place.ts";
import { linkTo } from "../route.ts";

export function Messages({ query }: { readonly query: Query }) {
  const { loaded, again } = useLoad<ListView<EmailView>>(emailsPath(query));
  return (
    <>
      <Title text="Messages" />
      <SearchForm search={searchIn(query)} />
      <Show loaded={loaded} again={again} what="the messages">
        {(list) => <Found list={list} query={query} />}
      </Show>
    </>
  );
}

function read(form: HTMLFormElement): Search {
  const data = new FormData(form);
  const text = (name: string): string => String(data.get(name) ?? "");
  const field = fieldFor(text("text"), text("field") as SearchField);
  return {
    ...{ field, text: text("text"), status: text("status") },
    ...{ since: text("since"), until: text("until") },
  };
}

function SearchForm({ search }: { readonly search: Search }) {
  const form = useRef<HTMLFormElement>(null);
  // The address may change under the form, as by the browser's buttons; what is typed meanwhile is not asked for.
  useEffect(() => form.current?.reset(), [search.field, search.text, search.status]);
  useEffect(() => {
    if (takeWish()) form.current?.querySelector("input")?.focus();
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (form.current === null) return;
    const wanted = read(form.current);
    const id = idIn(wanted.text);
    goTo(id === null ? linkTo("messages", [], queryOf(wanted)) : linkTo("messages", [id]));
  };
  return (
    <form ref={form} class="search" role="search" aria-label="Messages" onSubmit={submit}>
      <label>
        Find by
        <select name="field" defaultValue={search.field}>
          {searchFields.map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="grow">
        Text, or the id of a message (key /)
        <input
          name="text"
          type="search"
          defaultValue={search.text}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
      </label>
      <label>
        State
        <select name="status" defaultValue={search.status}>
          <option value="">any</option>
          {recipientStates.map((state) => (
            <option key={state} value={state}>
              {state}
            </option>
          ))}
          <option value="dead">dead: can be retried</option>
        </select>
      </label>
      <label>
        Since, UTC
        <input name="since" type="datetime-local" defaultValue={search.since} />
      </label>
      <label>
        Until, UTC
        <input name="until" type="datetime-local" defaultValue={search.until} />
      </label>
      <button type="submit" class="main">
        Search
      </button>
    </form>
  );
}

interface FoundProps {
  readonly list: ListView<EmailView>;
  readonly query: Query;
}

function Found({ list, query }: FoundProps) {
  const { data, has_more: hasMore } = list;
  return (
    <>
      {data.length === 0 ? (
        <Empty>
          No message was found.
          {hasMore &&
            " The search looked at a bounded part: narrow it by time, or go on to older mail."}
        </Empty>
      ) : (
        <FoundTable emails={data} />
      )}
      <Pager {...cursorsOf("messages", query, list)} />
    </>
  );
}

function FoundTable({ emails }: { readonly emails: readonly EmailView[] }) {
  return (
    <Table
      caption="Messages, newest first"
      columns={[
        { name: "Accepted, UTC", isWide: true },
        { name: "Subject and recipients" },
        { name: "From", isWide: true },
        { name: "State" },
        { name: "Reference", isWide: true },
      ]}
    >
      {emails.map((one) => (
        <tr key={one.id}>
          <td class="wide">
            <When at={one.created_at} />
          </td>
          <th scope="row">
            <a href={linkTo("messages", [one.id])}>{one.subject || "(no subject)"}</a>
            <p class="dim">{recipientsText(one.recipients.map(({ address }) => address))}</p>
            <p class="narrow dim">
              <When at={one.created_at} />
            </p>
          </th>
          <td class="wide">{one.from}</td>
          <td>
            <States states={one.recipients.map(({ state }) => state)} />
          </td>
          <td class="wide">{one.reference ?? ""}</td>
        </tr>
      ))}
    </Table>
  );
}
