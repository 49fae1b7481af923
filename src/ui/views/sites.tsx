// Every destination that has mail or connections, and why it is slow: one line each, with what an operator can do about it.
import type { SiteFigure } from "../../mail/figures.ts";
import type { ListView } from "../../mail/query.ts";
import { flush, pause, resume, spanOf } from "../deeds.ts";
import { useLoad } from "../load.ts";
import { age, milliseconds, plainTimes, shortCount } from "../model/format.ts";
import { concurrencyText, isPaused, siteName, waitingText } from "../model/sites.ts";
import { phaseInWords } from "../model/words.ts";
import { Action } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Mark, None } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { mayManage } from "../api.ts";

const EVERY_MS = 2000;

export function Sites() {
  const { loaded, again } = useLoad<ListView<SiteFigure>>("/sites", EVERY_MS);
  return (
    <>
      <Title text="Sites" />
      <Show loaded={loaded} again={again} what="the sites">
        {({ data, has_more: hasMore }) =>
          data.length === 0 ? (
            <Empty>No destination has mail or connections at the moment.</Empty>
          ) : (
            <>
              <SiteTable sites={data} again={again} />
              {hasMore && <p class="dim">More have mail; these have most.</p>}
            </>
          )
        }
      </Show>
    </>
  );
}

interface SiteTableProps {
  readonly sites: readonly SiteFigure[];
  readonly again: () => Promise<void>;
}

function SiteTable({ sites, again }: SiteTableProps) {
  const deeds = mayManage() ? [{ name: "Actions", isQuiet: true, isWide: true }] : [];
  return (
    <Table
      caption="Destinations, what has most to send first"
      columns={[
        { name: "Site" },
        { name: "Waiting", isNumber: true },
        { name: "Oldest", isNumber: true, isWide: true },
        { name: "Delivered/s", isNumber: true, isWide: true },
        { name: "Connections", isNumber: true, isWide: true },
        { name: "Slowest phase, p95", isNumber: true, isWide: true },
        { name: "Why it is slow", isWide: true },
        ...deeds,
      ]}
    >
      {sites.map((one) => (
        <Row key={one.site} site={one} again={again} />
      ))}
    </Table>
  );
}

interface RowProps {
  readonly site: SiteFigure;
  readonly again: () => Promise<void>;
}

function Row({ site, again }: RowProps) {
  const { backlog, slowest, rates } = site;
  return (
    <tr>
      <th scope="row">
        <a href={linkTo("sites", [site.site])}>{siteName(site.site)}</a>
        <div class="narrow">
          <Why site={site} />
        </div>
      </th>
      <td class="number">{waitingText(backlog)}</td>
      <td class="number wide">
        {backlog.oldest_age_seconds === null ? "–" : age(backlog.oldest_age_seconds)}
      </td>
      <td class="number wide">{rates === null ? "–" : shortCount(rates.delivered_per_second)}</td>
      <td class="number wide">{concurrencyText(site)}</td>
      <td class="number wide">
        {slowest === null ? "–" : `${phaseInWords(slowest.phase)} ${milliseconds(slowest.p95_ms)}`}
      </td>
      <td class="wide why">
        <Why site={site} />
      </td>
      {mayManage() && (
        <td class="wide">
          <SiteDeeds site={site} again={again} isSmall />
        </td>
      )}
    </tr>
  );
}

export function Why({ site }: { readonly site: SiteFigure }) {
  const { cause, reason, last_error: last } = site;
  if (cause === "none") return <None>nothing holds it up</None>;
  if (cause === "scheduled") return <None>{plainTimes(reason)}</None>;
  const tone = cause === "operator" || cause === "limit" ? "wait" : "bad";
  // The sentence may hold the first part of it.
  const isSaid = last === null || reason.includes(last.text.slice(0, 40));
  return (
    <>
      <Mark tone={tone}>{cause.replaceAll("_", " ")}</Mark> {plainTimes(reason)}
      {!isSaid && (
        <p class="dim">
          Last: {last.code === 0 ? last.class : last.code} {last.text}
        </p>
      )}
    </>
  );
}

interface DeedsProps extends RowProps {
  readonly isSmall?: boolean;
}

export function SiteDeeds({ site, again, isSmall = false }: DeedsProps) {
  // What has no route yet has no name that could be paused.
  if (site.site === "") return null;
  const span = spanOf(site.site);
  const of = siteName(site.site);
  const then = (deed: Promise<boolean>): Promise<unknown> => deed.finally(again);
  return (
    <div class="buttons">
      {isPaused(site) ? (
        <Action isSmall={isSmall} of={of} run={() => then(resume(span))}>
          Resume
        </Action>
      ) : (
        <Action isSmall={isSmall} of={of} run={() => then(pause(span))}>
          Pause
        </Action>
      )}
      <Action isSmall={isSmall} of={of} run={() => then(flush(span))}>
        Flush
      </Action>
    </div>
  );
}
