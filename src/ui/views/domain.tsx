// One sender domain: its keys, and the records to copy into its zone, with what the DNS says of each.
import type { DomainView } from "../../mail/domain.ts";
import { useLoad } from "../load.ts";
import { act } from "../notices.ts";
import { Action, Actions } from "../parts/action.tsx";
import { Show } from "../parts/faults.tsx";
import { Title } from "../parts/title.tsx";
import { Copy, Fact, Facts, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { RecordMark } from "./domains.tsx";

export function Domain({ id }: { readonly id: string }) {
  const path = `/domains/${encodeURIComponent(id)}`;
  const { loaded, again } = useLoad<DomainView>(path);
  const verify = (): Promise<unknown> =>
    act<DomainView>({
      ...{ method: "POST", path: `${path}/verify` },
      done: ({ records }) => {
        const good = records.filter(({ status }) => status === "verified").length;
        return `The DNS was asked: ${good} of ${records.length} records are as they should be.`;
      },
      failed: "The DNS was not asked.",
    }).finally(again);
  return (
    <>
      <Title text={loaded.at === "ready" ? loaded.value.name : id}>
        <Actions>
          <Action run={verify}>Check the DNS</Action>
        </Actions>
      </Title>
      <p>
        <a href={linkTo("domains")}>All domains</a>
      </p>
      <Show loaded={loaded} again={again} what="the domain">
        {(domain) => (
          <>
            <Keys domain={domain} />
            <Records domain={domain} />
          </>
        )}
      </Show>
    </>
  );
}

function Keys({ domain: { keys, created_at: at } }: { readonly domain: DomainView }) {
  return (
    <Facts>
      {keys.map(({ selector, algorithm, bits, origin }) => (
        <Fact key={selector} name={`Key ${selector}`}>
          {algorithm}, {bits} bits, {origin === "made" ? "made here" : "from the settings"}
        </Fact>
      ))}
      <Fact name="Since">
        <When at={at} /> UTC
      </Fact>
    </Facts>
  );
}

function Records({ domain: { records } }: { readonly domain: DomainView }) {
  return (
    <section>
      <h2>DNS records</h2>
      <ul class="records">
        {records.map(({ record, name, type, ttl, value, status, detail }) => (
          <li key={`${type} ${name} ${value}`}>
            <p class="head">
              <strong>{record}</strong> <RecordMark status={status} />
              <span class="dim">
                {type}, TTL {ttl}
              </span>
            </p>
            {detail !== "" && <p>{detail}</p>}
            <p>
              <code class="said">{name}</code> <Copy text={name} what={`the name of ${record}`} />
            </p>
            <p>
              <code class="said">{value}</code>{" "}
              <Copy text={value} what={`the value of ${record} at ${name}`} />
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
