// Is it healthy, and how fast is it going: the figures of now, the last five minutes as plots, what waits, and how the host is.
import { grouped } from "../../base/human.ts";
import type { FigurePoint, FiguresView } from "../../mail/figures.ts";
import { pause, resume } from "../deeds.ts";
import { connection, figures, history } from "../live.ts";
import { age, milliseconds, shortCount } from "../model/format.ts";
import { oldestSeconds } from "../model/queue.ts";
import { Action, Actions } from "../parts/action.tsx";
import { type Line, Plot } from "../parts/plot.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/words.tsx";
import { Ages, Health, QueueByState } from "./overviewParts.tsx";
import { Slowest } from "./slowest.tsx";

const throughput: readonly Line[] = [
  { name: "accepted_per_second", label: "accepted", colour: "c-accepted", isDashed: true },
  { name: "delivered_per_second", label: "delivered", colour: "c-good" },
  { name: "deferred_per_second", label: "deferred", colour: "c-wait" },
  { name: "bounced_per_second", label: "bounced", colour: "c-bad" },
];

const latency: readonly Line[] = [
  { name: "accept_p50_ms", label: "accept p50", colour: "c-accepted" },
  { name: "accept_p99_ms", label: "accept p99", colour: "c-accepted", isDashed: true },
  { name: "delivery_p50_ms", label: "delivery p50", colour: "c-good" },
  { name: "delivery_p99_ms", label: "delivery p99", colour: "c-good", isDashed: true },
];

export function Overview() {
  const { value } = figures;
  return (
    <>
      <Title text="Overview">
        <PauseAll view={value} />
      </Title>
      {value === null ? (
        <p class="loading" role="status">
          Waiting for the first figures…
        </p>
      ) : (
        <Figures view={value} points={history.value} />
      )}
    </>
  );
}

function PauseAll({ view }: { readonly view: FiguresView | null }) {
  if (view === null) return null;
  const isPaused = view.health.paused.some(({ kind }) => kind === "all");
  return (
    <Actions>
      {isPaused ? (
        <Action run={() => resume({ all: true })}>Resume everything</Action>
      ) : (
        <Action run={() => pause({ all: true })}>Pause everything</Action>
      )}
    </Actions>
  );
}

interface FiguresProps {
  readonly view: FiguresView;
  readonly points: readonly FigurePoint[];
}

function Figures({ view, points }: FiguresProps) {
  const { queue, health, now } = view;
  const { value: link } = connection;
  return (
    <>
      {link.at === "lost" && (
        <p class="box wait">
          <span>
            The figures below stand still since <When at={now?.at ?? view.started_at} /> UTC.
          </span>
        </p>
      )}
      {!view.measuring && (
        <p class="box wait">
          <span>
            The setting <code>metrics</code> is off: nothing is counted, so rates and latencies are
            not known.
          </span>
        </p>
      )}
      <Strip view={view} now={now} />
      <div class="plots">
        <Plot title="Throughput, a second" points={points} lines={throughput} format={shortCount} />
        <Plot title="Latency" points={points} lines={latency} format={milliseconds} isLog />
      </div>
      <div class="columns">
        <QueueByState queue={queue} />
        <Ages queue={queue} />
        <Health view={view} health={health} />
      </div>
      <Slowest />
    </>
  );
}

interface StripProps {
  readonly view: FiguresView;
  readonly now: FigurePoint | null;
}

/** The figures that are asked for on the phone. */
function Strip({ view, now }: StripProps) {
  const oldest = oldestSeconds(view.queue);
  const p99 = now?.delivery_p99_ms ?? null;
  return (
    <dl class="strip">
      <Figure name="Accepted" value={rate(now?.accepted_per_second)} unit="/s" />
      <Figure name="Delivered" value={rate(now?.delivered_per_second)} unit="/s" />
      <Figure name="Deferred" value={rate(now?.deferred_per_second)} unit="/s" />
      <Figure name="Bounced" value={rate(now?.bounced_per_second)} unit="/s" />
      <Figure name="Refused" value={rate(now?.refused_per_second)} unit="/s" />
      <Figure name="Waiting" value={grouped(view.queue.recipients)} unit="" />
      <Figure name="Oldest" value={oldest === null ? "–" : age(oldest)} unit="" />
      <Figure name="Delivery p99" value={p99 === null ? "–" : milliseconds(p99)} unit="" />
    </dl>
  );
}

function rate(value: number | undefined): string {
  return value === undefined ? "–" : shortCount(value);
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly unit: string;
}

function Figure({ name, value, unit }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value}
        {value !== "–" && unit !== "" && <span class="unit">{unit}</span>}
      </dd>
    </div>
  );
}
