// Whose mail is signed here, and whether the world can see it.
import type { DomainView, RecordStatus } from "../../mail/domain.ts";
import type { ListView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import type { Tone } from "../model/words.ts";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Mark, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

export function Domains() {
  const { loaded, again } = useLoad<ListView<DomainView>>("/domains");
  return (
    <>
      <Title text="Domains" />
      <Show loaded={loaded} again={again} what="the domains">
        {({ data }) =>
          data.length === 0 ? (
            <Empty>
              No domain signs its mail here. <code>postrider domain add example.com</code> makes its
              keys and shows the records.
            </Empty>
          ) : (
            <Rows domains={data} />
          )
        }
      </Show>
    </>
  );
}

function Rows({ domains }: { readonly domains: readonly DomainView[] }) {
  return (
    <Table
      caption="Domains that sign their mail here"
      columns={[
        { name: "Domain" },
        { name: "DKIM" },
        { name: "Other records" },
        { name: "Keys", isWide: true },
        { name: "Since, UTC", isWide: true },
      ]}
    >
      {domains.map(({ id, name, keys, records, created_at: at }) => (
        <tr key={id}>
          <th scope="row">
            <a href={linkTo("domains", [name])}>{name}</a>
          </th>
          <td>
            <Worst statuses={records.filter(isDkim).map(({ status }) => status)} />
          </td>
          <td>
            <Worst statuses={records.filter((one) => !isDkim(one)).map(({ status }) => status)} />
          </td>
          <td class="wide">
            {keys.map(({ selector, algorithm }) => `${selector} (${algorithm})`).join(", ")}
          </td>
          <td class="wide">
            <When at={at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function isDkim({ record }: { readonly record: string }): boolean {
  return record === "DKIM";
}

const order: readonly RecordStatus[] = ["failed", "temporary_failure", "not_started", "verified"];

function Worst({ statuses }: { readonly statuses: readonly RecordStatus[] }) {
  const worst = order.find((status) => statuses.includes(status));
  return worst === undefined ? <>–</> : <RecordMark status={worst} />;
}

export function RecordMark({ status }: { readonly status: RecordStatus }) {
  const tones: Readonly<Record<RecordStatus, Tone>> = {
    verified: "good",
    failed: "bad",
    temporary_failure: "wait",
    not_started: "quiet",
  };
  const words: Readonly<Record<RecordStatus, string>> = {
    verified: "verified",
    failed: "failed",
    temporary_failure: "no answer of the DNS",
    not_started: "not checked",
  };
  return <Mark tone={tones[status] ?? "quiet"}>{words[status] ?? status}</Mark>;
}
