// On the overview: the few destinations that something holds up, with the reason.
import type { SiteFigure } from "../../mail/figures.ts";
import type { ListView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import { age, plainTimes } from "../model/format.ts";
import { heldUp, siteName, waitingText } from "../model/sites.ts";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { linkTo } from "../route.ts";

const EVERY_MS = 4000;
const SHOWN_MAX = 5;

export function Slowest() {
  const { loaded, again } = useLoad<ListView<SiteFigure>>("/sites", EVERY_MS);
  return (
    <section>
      <h2>Held up</h2>
      <Show loaded={loaded} again={again} what="the sites">
        {({ data }) => <Rows sites={heldUp(data).slice(0, SHOWN_MAX)} />}
      </Show>
    </section>
  );
}

function Rows({ sites }: { readonly sites: readonly SiteFigure[] }) {
  if (sites.length === 0) return <Empty>No destination is held up.</Empty>;
  return (
    <Table
      caption="Destinations that something holds up"
      columns={[
        { name: "Site" },
        { name: "Waiting", isNumber: true },
        { name: "Oldest", isNumber: true, isWide: true },
        { name: "Why", isWide: true },
      ]}
    >
      {sites.map(({ site, backlog, reason }) => (
        <tr key={site}>
          <th scope="row">
            <a href={linkTo("sites", [site])}>{siteName(site)}</a>
            <p class="narrow dim">{plainTimes(reason)}</p>
          </th>
          <td class="number">{waitingText(backlog)}</td>
          <td class="number wide">
            {backlog.oldest_age_seconds === null ? "–" : age(backlog.oldest_age_seconds)}
          </td>
          <td class="wide">{plainTimes(reason)}</td>
        </tr>
      ))}
    </Table>
  );
}
