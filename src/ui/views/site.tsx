// One destination with everything that is known of it: why it is slow, its connections, its phases, its last error.
import { grouped } from "../../base/human.ts";
import type { SiteFigure } from "../../mail/figures.ts";
import type { ListView } from "../../mail/query.ts";
import { useLoad } from "../load.ts";
import { age, milliseconds, shortCount } from "../model/format.ts";
import { concurrencyText, siteName, waitingText } from "../model/sites.ts";
import { phaseInWords } from "../model/words.ts";
import { Actions } from "../parts/action.tsx";
import { Empty, Show } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Title } from "../parts/title.tsx";
import { Due, Fact, Facts, None, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";
import { SiteDeeds, Why } from "./sites.tsx";

const EVERY_MS = 2000;

export function Site({ name }: { readonly name: string }) {
  const { loaded, again } = useLoad<ListView<SiteFigure>>("/sites", EVERY_MS);
  const site = loaded.at === "ready" ? loaded.value.data.find((one) => one.site === name) : null;
  return (
    <>
      <Title text={siteName(name)}>
        {site && (
          <Actions>
            <SiteDeeds site={site} again={again} />
          </Actions>
        )}
      </Title>
      <p>
        <a href={linkTo("sites")}>All sites</a>
      </p>
      <Show loaded={loaded} again={again} what="the site">
        {() =>
          site ? (
            <Known site={site} />
          ) : (
            <Empty>It has no mail and no connections at the moment: nothing waits there.</Empty>
          )
        }
      </Show>
    </>
  );
}

function Known({ site }: { readonly site: SiteFigure }) {
  return (
    <>
      <p class="lead">
        <Why site={site} />
      </p>
      <div class="columns two">
        <section>
          <h2>Now</h2>
          <Numbers site={site} />
        </section>
        <section>
          <h2>Phases</h2>
          <Phases site={site} />
        </section>
      </div>
      <LastError site={site} />
    </>
  );
}

function Numbers({ site }: { readonly site: SiteFigure }) {
  const { backlog, connections, pause, domains, rates } = site;
  return (
    <Facts>
      <Fact name="Waiting">
        {waitingText(backlog)}
        {partsText(backlog)}
      </Fact>
      <Fact name="With a sender">{grouped(backlog.sending)}</Fact>
      <Fact name="Oldest">
        {backlog.oldest_age_seconds === null ? <None /> : age(backlog.oldest_age_seconds)}
      </Fact>
      <Fact name="Next attempt">
        <Due at={backlog.next_attempt_at} />
      </Fact>
      <Fact name="Paused">
        {pause === null ? (
          <None>no</None>
        ) : (
          <>
            by {pause.rule}
            {pause.until === null ? ", until it is resumed" : ", ends "}
            {pause.until !== null && <When at={pause.until} relative />}. {pause.text}
          </>
        )}
      </Fact>
      <Fact name="Concurrency">{concurrencyText(site)}</Fact>
      <Fact name="Connections">
        {connections.open} open, {connections.idle} of them idle; {connections.opening} opening
      </Fact>
      <Fact name="A second">
        {rates === null ? (
          <None>not counted by itself</None>
        ) : (
          <>
            {shortCount(rates.delivered_per_second)} delivered,{" "}
            {shortCount(rates.deferred_per_second)} deferred, {shortCount(rates.failed_per_second)}{" "}
            failed
          </>
        )}
      </Fact>
      <Fact name="Domains">{domains === null ? <None>not known</None> : grouped(domains)}</Fact>
    </Facts>
  );
}

/** Where they are counted one by one. */
function partsText({ queued, deferred, scheduled }: SiteFigure["backlog"]): string {
  if (queued === null || deferred === null || scheduled === null) return "";
  return `: ${grouped(queued)} queued, ${grouped(deferred)} deferred, ${grouped(scheduled)} scheduled`;
}

function Phases({ site: { phases } }: { readonly site: SiteFigure }) {
  if (phases.length === 0) return <Empty>No reply has come since the start.</Empty>;
  return (
    <Table
      caption="How long each phase takes, slowest first"
      columns={[
        { name: "Phase" },
        { name: "p50", isNumber: true },
        { name: "p95", isNumber: true },
        { name: "Replies", isNumber: true },
      ]}
    >
      {phases.map(({ phase, p50_ms: p50, p95_ms: p95, replies }) => (
        <tr key={phase}>
          <th scope="row">{phaseInWords(phase)}</th>
          <td class="number">{milliseconds(p50)}</td>
          <td class="number">{milliseconds(p95)}</td>
          <td class="number">{grouped(replies)}</td>
        </tr>
      ))}
    </Table>
  );
}

function LastError({ site: { last_error: last, site } }: { readonly site: SiteFigure }) {
  return (
    <section>
      <h2>Last error</h2>
      {last === null ? (
        <Empty>None since the start.</Empty>
      ) : (
        <>
          <p>
            <When at={last.at} relative />, at {phaseInWords(last.phase)}
            {last.host !== "" && ` of ${last.host}`}, class {last.class}:
          </p>
          <pre class="said">
            {[last.code || "", last.enhanced, last.text].filter((one) => one !== "").join(" ")}
          </pre>
        </>
      )}
      {site.startsWith("domain:") && (
        <p>
          <a href={linkTo("messages", [], { domain: siteName(site) })}>Mail to {siteName(site)}</a>
        </p>
      )}
    </section>
  );
}
