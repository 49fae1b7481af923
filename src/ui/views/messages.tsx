// The search for messages: the form, what was found, page by page. The search stands in the address, so it can be sent to somebody.
import { useEffect, useRef, useState } from "preact/hooks";
import { recipientStates } from "../../mail/state.ts";
import type { EmailView, ListView } from "../../mail/query.ts";
import { takeWish } from "../keys.ts";
import { useLoad } from "../load.ts";
import { counted } from "../model/format.ts";
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
      <p class="unseen" role="status">
        {loaded.at === "ready" ? `${counted(loaded.value.data.length, "message")} found` : ""}
      </p>
      <Show loaded={loaded} again={again} what="the messages">
        {(list) => <Found list={list} query={query} />}
      </Show>
    </>
  );
}

function SearchForm({ search }: { readonly search: Search }) {
  const text = useRef<HTMLInputElement>(null);
  const [draft, setDraft] = useState(search);
  // The address may change under the form, as by the browser's buttons.
  useEffect(() => setDraft(search), Object.values(search));
  useEffect(() => {
    if (takeWish()) text.current?.focus();
  }, []);
  const change = (part: Partial<Search>): void => setDraft((before) => ({ ...before, ...part }));
  const submit = (event: Event): void => {
    event.preventDefault();
    const wanted = { ...draft, field: fieldFor(draft.text, draft.field) };
    const id = idIn(draft.text);
    goTo(id === null ? linkTo("messages", [], queryOf(wanted)) : linkTo("messages", [id]));
  };
  return (
    <form class="search" role="search" aria-label="Messages" onSubmit={submit}>
      <Choice
        label="Find by"
        value={draft.field}
        options={searchFields}
        choose={(field) => change({ field: field as SearchField })}
      />
      <label class="grow">
        <span>
          Text, or the id of a message <span class="wide">(key /)</span>
        </span>
        <input
          ref={text}
          name="text"
          type="search"
          value={draft.text}
          onInput={(event) => change({ text: event.currentTarget.value })}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
      </label>
      <Choice
        label="State"
        value={draft.status}
        options={states}
        choose={(status) => change({ status })}
      />
      <Instant label="Since, UTC" value={draft.since} set={(since) => change({ since })} />
      <Instant label="Until, UTC" value={draft.until} set={(until) => change({ until })} />
      <button type="submit" class="main">
        Search
      </button>
    </form>
  );
}

type Option = readonly [value: string, label: string];

const states: readonly Option[] = [
  ["", "any"],
  ...recipientStates.map((state): Option => [state, state]),
  ["dead", "dead: can be retried"],
];

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly choose: (value: string) => void;
}

function Choice({ label, value, options, choose }: ChoiceProps) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {options.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

interface InstantProps {
  readonly label: string;
  readonly value: string;
  readonly set: (value: string) => void;
}

function Instant({ label, value, set }: InstantProps) {
  return (
    <label>
      {label}
      <input
        type="datetime-local"
        value={value}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </label>
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
