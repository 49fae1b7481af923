// The ways in for programs of this host. Sockets: one in the data folder for its owner, and two in the runtime folder (INTERFACE 3),
// which is there where the daemon is installed: one for the group `postrider`, one for everybody's mail. And the pickup folders.
import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config.ts";
import { owner } from "../submit/caller.ts";
import type { Door } from "../submit/door.ts";
import { isServed } from "../submit/liveSocket.ts";
import { localUser } from "../submit/localUser.ts";
import { type Listener, type LocalSocket, serveLocal } from "../submit/serve.ts";
import { CONTROL_SOCKET, PICKUP_FOLDER, SUBMIT_SOCKET } from "./dataFolder.ts";
import { createPickup } from "./pickup.ts";

const GROUP = "postrider";

export interface LocalDoors extends Pick<Listener, "stop" | "stopNow"> {
  /** Other folders from now on; what cannot be opened there is told and left out. */
  configure(next: Config): Promise<void>;
}

/** Throws where the owner's socket cannot be opened, whose path `opening` was told. */
export async function openLocal(
  door: Door,
  atStart: Config,
  log: Log,
  opening: (path: string) => void,
): Promise<LocalDoors> {
  const socket = ownSocket(atStart);
  opening(socket.path);
  const own = serveLocal(door, socket);
  let config = atStart;
  let runtime = await openRuntimeSockets(door, config, log);
  let pickup = openPickup(door, config, log);
  const all = () => [own, ...runtime, pickup];
  return {
    async configure(next) {
      const before = config;
      config = next;
      if (next.runtimeDir !== before.runtimeDir) {
        await Promise.all(runtime.map((one) => one.stopNow()));
        runtime = await openRuntimeSockets(door, next, log);
      }
      if (next.pickupDir === before.pickupDir) return;
      await pickup.stop();
      pickup = openPickup(door, next, log);
    },
    stop: () => ended(all().map((one) => one.stop())),
    stopNow: () => ended(all().map((one) => one.stopNow())),
  };
}

async function ended(all: readonly Promise<void>[]): Promise<void> {
  await Promise.all(all);
}

export function ownSocket({ dataDir }: Pick<Config, "dataDir">): LocalSocket {
  return { path: join(dataDir, CONTROL_SOCKET), caller: owner, mode: 0o600 };
}

/** What cannot be opened is told and left out: the API is there all the same. */
export async function openRuntimeSockets(
  door: Door,
  { runtimeDir, dataDir }: Pick<Config, "runtimeDir" | "dataDir">,
  log: Log,
): Promise<Listener[]> {
  if (!isUsable(runtimeDir)) {
    const text = "other users of this host cannot send through local sockets";
    log("info", "local.no_runtime_dir", { runtime_dir: runtimeDir, text });
    return [];
  }
  const path = join(runtimeDir, CONTROL_SOCKET);
  const group = groupNumber(GROUP, readIfThere("/etc/group"));
  // Without the group, or where we may not give files to it, the socket is its owner's alone.
  const control: LocalSocket =
    group === undefined || !mayGive(group)
      ? { path, caller: owner, mode: 0o600 }
      : { path, caller: owner, mode: 0o660, group };
  const submit: LocalSocket = {
    path: join(runtimeDir, SUBMIT_SOCKET),
    caller: localUser,
    mode: 0o666,
  };
  // Where the two folders are one, the owner's socket stays what it is.
  const wanted = runtimeDir === dataDir ? [submit] : [control, submit];
  const opened: Listener[] = [];
  for (const one of wanted) {
    const listener = await openOne(door, one, log);
    if (listener !== undefined) opened.push(listener);
  }
  return opened;
}

/** One more way in, which is closed like the others. */
function openPickup(
  door: Door,
  { dataDir, pickupDir }: Pick<Config, "dataDir" | "pickupDir">,
  log: Log,
): Pick<Listener, "stop" | "stopNow"> {
  const own = { path: join(dataDir, PICKUP_FOLDER), caller: owner };
  const others = pickupDir === null || pickupDir === own.path ? [] : [pickupDir];
  const folders = [own, ...others.map((path) => ({ path, caller: localUser }))];
  const pickup = createPickup({ folders, door, clock: systemClock, log });
  void pickup.start();
  return { stop: pickup.stop, stopNow: pickup.stop };
}

async function openOne(door: Door, socket: LocalSocket, log: Log): Promise<Listener | undefined> {
  const { path } = socket;
  if (await isServed(path)) {
    log("warn", "local.socket_taken", { path, text: "another daemon serves it" });
    return undefined;
  }
  try {
    return serveLocal(door, socket);
  } catch (error) {
    log("warn", "local.socket_failed", { path, text: (error as Error).message });
    return undefined;
  }
}

function isUsable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The number of a group that /etc/group lists; undefined when it does not. */
export function groupNumber(name: string, groups: string): number | undefined {
  for (const line of groups.split("\n")) {
    const [group, , number] = line.split(":");
    if (group === name && number !== undefined && /^\d+$/.test(number)) return Number(number);
  }
  return undefined;
}

function mayGive(group: number): boolean {
  return process.geteuid?.() === 0 || (process.getgroups?.() ?? []).includes(group);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
