// A captured message: its headers, its text, its attachments. Its HTML is shown as text, since a page of a stranger is none of ours.
import type { InboxView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import { bytes } from "../model/format.ts";
import { act } from "../notices.ts";
import { Action, Actions } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Title } from "../parts/title.tsx";
import { Fact, Facts, None, When } from "../parts/words.tsx";
import { goTo } from "../place.ts";
import { linkTo } from "../route.ts";
import { Source } from "./source.tsx";

export function InboxMessage({ id }: { readonly id: string }) {
  const path = `/inbox/${encodeURIComponent(id)}`;
  const { loaded, again } = useLoad<InboxView>(path);
  const remove = async (): Promise<void> => {
    const isDone = await act({
      ...{ method: "DELETE", path },
      done: () => "The message is deleted.",
      failed: "The message was not deleted.",
    });
    if (isDone) goTo(linkTo("inbox"));
  };
  return (
    <>
      <Title text={loaded.at === "ready" ? loaded.value.subject || "(no subject)" : "Message"}>
        <Actions>
          <Action run={remove} ask={removing}>
            Delete
          </Action>
        </Actions>
      </Title>
      <p>
        <a href={linkTo("inbox")}>The inbox</a>
      </p>
      <Show loaded={loaded} again={again} what="the message">
        {(message) => (
          <>
            <Head message={message} />
            <Text title="Text" text={message.text} />
            <Text title="HTML, as its source" text={message.html} />
            <Source path={`${path}/raw`} id={id} />
          </>
        )}
      </Show>
    </>
  );
}

const removing = {
  title: "Delete this message?",
  text: "It is deleted from the disk. This cannot be undone.",
  yes: "Delete it",
};

function Head({ message }: { readonly message: InboxView }) {
  const { envelope, from, to, attachments, received_at: at, size_bytes: size } = message;
  return (
    <Facts>
      <Fact name="From">{from ?? <None />}</Fact>
      <Fact name="To">{to.length === 0 ? <None /> : to.join(", ")}</Fact>
      <Fact name="Envelope">
        {envelope.from || "<>"} to {envelope.to.join(", ")}
      </Fact>
      <Fact name="Received">
        <When at={at} ms /> UTC, {bytes(size)}
      </Fact>
      <Fact name="Attachments">
        {attachments.length === 0 ? (
          <None />
        ) : (
          attachments
            .map((one) => `${one.filename ?? one.content_type} (${bytes(one.size_bytes)})`)
            .join(", ")
        )}
      </Fact>
    </Facts>
  );
}

function Text({ title, text }: { readonly title: string; readonly text: string | null }) {
  return (
    <section>
      <h2>{title}</h2>
      {text === null ? (
        <Empty>It has none.</Empty>
      ) : (
        <pre class="source" tabIndex={0} role="region" aria-label={title}>
          {text}
        </pre>
      )}
    </section>
  );
}
