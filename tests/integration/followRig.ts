// A client of the event stream as a script would write it: comes again when it is cut, with the last id that it saw.
import { until } from "../fixtures/until.ts";
import type { Daemon } from "../fixtures/daemon.ts";

export interface Heard {
  readonly id: number;
  readonly type: string;
  readonly data: {
    readonly email_id: string;
    readonly postrider: Readonly<Record<string, unknown>>;
  };
}

export interface Listener {
  readonly heard: Heard[];
  /** Listens from now on to this one: the one before it is gone. */
  moveTo(daemon: Daemon): void;
  close(): Promise<void>;
}

export function listen(first: Daemon, from: number): Listener {
  const heard: Heard[] = [];
  const leaving = new AbortController();
  let daemon = first;
  let last = String(from);

  const hear = (text: string): void => {
    const id = /^id: (\d+)$/m.exec(text)?.[1];
    const data = /^data: (.*)$/m.exec(text)?.[1];
    if (id !== undefined) last = id;
    if (data !== undefined) heard.push(JSON.parse(data) as Heard);
  };
  const once = async (): Promise<void> => {
    const headers = { "last-event-id": last };
    const answer = await daemon.request("/events/stream", { headers, signal: leaving.signal });
    if (answer.body === null) return;
    let rest = "";
    for await (const chunk of answer.body) {
      rest += new TextDecoder().decode(chunk);
      const events = rest.split("\n\n");
      rest = events.pop() ?? "";
      events.forEach(hear);
    }
  };
  const running = (async () => {
    while (!leaving.signal.aborted) {
      // Cut, refused or not there at the moment: it comes again.
      await once().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return {
    heard,
    moveTo: (next) => void (daemon = next),
    async close() {
      leaving.abort();
      await running;
    },
  };
}

export function hears(listener: Listener, what: (heard: Heard) => boolean): Promise<Heard> {
  return until("the stream tells it", () => listener.heard.find(what));
}
