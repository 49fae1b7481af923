// What waits, by state and by age, and how the host is.
import { grouped } from "../../base/human.ts";
import type { FiguresView, HealthFigures, QueueFigures } from "../../mail/figures.ts";
import { age, bytes, milliseconds } from "../model/format.ts";
import { ageRows } from "../model/queue.ts";
import { Empty } from "../parts/faults.tsx";
import { Table } from "../parts/table.tsx";
import { Fact, Facts, Mark, None, State, When } from "../parts/words.tsx";
import { linkTo } from "../route.ts";

const priorities = ["p0", "p1", "p2"] as const;

export function QueueByState({ queue }: { readonly queue: QueueFigures }) {
  const { states, oldest_age_seconds: oldest } = queue;
  return (
    <section>
      <h2>Queue by state</h2>
      {queue.recipients === 0 ? (
        <Empty>Nothing waits.</Empty>
      ) : (
        <Table
          caption="Recipients that are not final, by state and priority"
          columns={[
            { name: "State" },
            ...priorities.map((name) => ({ name, isNumber: true })),
            { name: "All", isNumber: true },
          ]}
        >
          {states.map(({ state, p0, p1, p2 }) => (
            <tr key={state}>
              <th scope="row">
                <a href={linkTo("messages", [], { status: state })}>
                  <State state={state} />
                </a>
              </th>
              <td class="number">{grouped(p0)}</td>
              <td class="number">{grouped(p1)}</td>
              <td class="number">{grouped(p2)}</td>
              <td class="number">{grouped(p0 + p1 + p2)}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">Oldest</th>
            {priorities.map((name) => (
              <td key={name} class="number">
                {oldest[name] === null ? "–" : age(oldest[name])}
              </td>
            ))}
            <td />
          </tr>
        </Table>
      )}
    </section>
  );
}

export function Ages({ queue }: { readonly queue: QueueFigures }) {
  const rows = ageRows(queue.ages);
  return (
    <section>
      <h2>Queue by age</h2>
      {queue.recipients === 0 ? (
        <Empty>Nothing waits.</Empty>
      ) : (
        <Table
          caption="Messages that wait, by age"
          columns={[
            { name: "Waiting for" },
            { name: "Messages", isNumber: true },
            { name: "Share", isQuiet: true },
          ]}
        >
          {rows.map(({ label, messages, share }) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td class="number">{grouped(messages)}</td>
              <td class="bars" aria-hidden="true">
                <div class="share" style={{ width: `${Math.round(share * 100)}%` }} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

interface HealthProps {
  readonly view: FiguresView;
  readonly health: HealthFigures;
}

export function Health({ view, health }: HealthProps) {
  const { uplink, disk, memory, threads } = health;
  const lag = Math.max(0, ...threads.map(({ lag_ms }) => lag_ms));
  return (
    <section>
      <h2>Health</h2>
      <Facts>
        <Fact name="Uplink">
          <Mark tone={uplink.state === "up" ? "good" : "bad"}>
            {uplink.state.replaceAll("_", " ")}
          </Mark>
        </Fact>
        <Fact name="Disk free">
          <Room {...disk} />
        </Fact>
        <Fact name="Memory">
          {bytes(memory.resident_bytes)}
          {memory.limit_bytes !== null && ` of ${bytes(memory.limit_bytes)}`}
        </Fact>
        <Fact name="Threads">
          {threads.length}, at most {milliseconds(lag)} late
        </Fact>
        <Fact name="Webhook events waiting">{grouped(health.webhook_pending_events)}</Fact>
        <Fact name="Search behind by">{grouped(health.search_lag_events)} events</Fact>
        <Fact name="Since the start">
          {grouped(view.totals.accepted)} accepted, {grouped(view.totals.delivered)} delivered,{" "}
          {grouped(view.totals.bounced + view.totals.expired)} failed
        </Fact>
        <Fact name="Running">
          {view.version}, since <When at={view.started_at} />
        </Fact>
      </Facts>
    </section>
  );
}

type RoomProps = Pick<HealthFigures["disk"], "free_bytes" | "reserve_bytes" | "history_bytes">;

function Room({ free_bytes: free, reserve_bytes: reserve, history_bytes: kept }: RoomProps) {
  if (free === null) return <None>not known</None>;
  return (
    <>
      {bytes(free)}
      {reserve !== null && `, of which ${bytes(reserve)} are kept in reserve`}
      {kept !== null && `; history has ${bytes(kept)}`}
    </>
  );
}
