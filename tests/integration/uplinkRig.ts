// How a test asks the daemon for the state of its line.
import type { QueueView, UplinkView } from "../../src/mail/query.ts";
import type { Daemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

export async function uplinkOf(daemon: Daemon): Promise<UplinkView> {
  const view = (await (await daemon.request("/queue")).json()) as QueueView;
  if (view.uplink === undefined) throw new Error("GET /queue does not tell the uplink");
  return view.uplink;
}

export function untilUplink(daemon: Daemon, state: UplinkView["state"]): Promise<UplinkView> {
  return until(`the line is ${state}`, async () => {
    const uplink = await uplinkOf(daemon);
    return uplink.state === state && uplink;
  });
}

/** It is told once a second. */
export function metric(daemon: Daemon, name: string): Promise<number> {
  return until(`${name} is told`, async () => {
    const text = await (await daemon.request("/metrics")).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  });
}
