// The pickup folders from the daemon's side: what `sendmail` left there while nobody took mail goes through the same door as all other
// mail, under an idempotency key that its name gives it. So a kill between the commit and the removal of the file sends nothing twice.
import { constants } from "node:fs";
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { ENVELOPE_BYTES_MAX, isPickupName, partsOf, unpackEnvelope } from "../mail/pickup.ts";
import type { Caller } from "../submit/caller.ts";
import type { Door, Peer } from "../submit/door.ts";
import { firstLine, streamOf } from "../submit/fileReading.ts";

export interface PickupFolder {
  readonly path: string;
  /** On whose behalf its mail is sent. */
  readonly caller: Caller;
}

export interface Pickup {
  /** Takes what is there now, and comes back for more; resolves when all that could be taken was. */
  start(): Promise<void>;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
/** Files that one look takes; the next one goes on at once. */
const FILES_AT_ONCE = 200;
/** A file that could not be taken is left alone for so long. */
const REST_MS = 30_000;
const RESTING_MAX = 10_000;
/** A file under its hidden name belongs to a writer that is at work, until it is so old. */
const UNFINISHED_MS = 24 * 3_600_000;
const FAILED_FOLDER = "failed";
const STICKY = 0o1000;

interface State {
  readonly folders: readonly PickupFolder[];
  readonly door: Pick<Door, "send">;
  readonly clock: Clock;
  readonly log: Log;
  /** Not before these instants, by path. */
  readonly resting: Map<string, number>;
  /** Folders of which it was said that they are not ours. */
  readonly told: Set<string>;
  stopped: boolean;
}

export function createPickup(deps: {
  readonly folders: readonly PickupFolder[];
  readonly door: Pick<Door, "send">;
  readonly clock: Clock;
  readonly log: Log;
}): Pickup {
  const state: State = { ...deps, resting: new Map(), told: new Set(), stopped: false };
  let timer: Timer | undefined;
  let looking: Promise<void> = Promise.resolve();
  const look = async (): Promise<void> => {
    let more = false;
    for (const folder of state.folders) more = (await lookInto(state, folder)) || more;
    if (state.stopped) return;
    timer = state.clock.after(more ? 0 : LOOK_EVERY_MS, () => void (looking = look()));
  };
  return {
    start: () => (looking = look()),
    stop() {
      state.stopped = true;
      timer?.cancel();
      return looking;
    },
  };
}

/** True: there is more to take at once. */
async function lookInto(state: State, folder: PickupFolder): Promise<boolean> {
  const { clock, resting } = state;
  const names = await namesIn(state, folder.path);
  let taken = 0;
  for (const name of names) {
    if (state.stopped) return false;
    const path = join(folder.path, name);
    const restsUntil = resting.get(path);
    if (restsUntil !== undefined && clock.monotonicMs() < restsUntil) continue;
    if (taken++ >= FILES_AT_ONCE) return true;
    resting.delete(path);
    const outcome = await take(state, folder, name);
    if (outcome === "later") {
      if (resting.size >= RESTING_MAX) resting.clear();
      resting.set(path, clock.monotonicMs() + REST_MS);
    }
    // It takes no mail at all at the moment: the others would hear the same.
    if (outcome === "refusing") return false;
  }
  return false;
}

/** In order of time. A folder that is not there holds nothing. */
async function namesIn(state: State, folder: string): Promise<readonly string[]> {
  let names: string[];
  try {
    if (!(await isOurs(folder))) return refuseFolder(state, folder);
    names = await readdir(folder);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "EACCES")
      state.log("warn", "pickup.unreadable", { folder, text: wordsOf(error) });
    return [];
  }
  for (const name of names.filter((one) => one.startsWith(".")).slice(0, FILES_AT_ONCE))
    await sweep(state, join(folder, name));
  return names.filter(isPickupName).sort();
}

/** Whether files of others can be removed there: what stays would be sent again once its key is forgotten. */
async function isOurs(folder: string): Promise<boolean> {
  const { mode, uid } = await stat(folder);
  const euid = process.geteuid?.() ?? 0;
  const isSticky = (mode & STICKY) !== 0;
  if (isSticky && euid !== 0 && uid !== euid) return false;
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

function refuseFolder({ log, told }: State, folder: string): readonly string[] {
  if (!told.has(folder)) {
    const text = "it must belong to the user of the daemon: nothing is taken from it";
    log("error", "pickup.not_ours", { folder, text });
  }
  told.add(folder);
  return [];
}

/** What a writer that was killed has left: nobody was told that it is taken. */
async function sweep({ clock }: State, path: string): Promise<void> {
  try {
    const { mtimeMs, isFile } = await stat(path).then((one) => ({
      mtimeMs: one.mtimeMs,
      isFile: one.isFile(),
    }));
    if (isFile && clock.now() - mtimeMs > UNFINISHED_MS) await unlink(path);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/** `later`: this one rests. `refusing`: no mail is taken. */
type Outcome = "taken" | "aside" | "later" | "refusing" | "gone";

async function take(state: State, folder: PickupFolder, name: string): Promise<Outcome> {
  const path = join(folder.path, name);
  let file: FileHandle | undefined;
  try {
    // Others may write into the folder: no link of theirs is followed, and no pipe is waited for.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const facts = await file.stat();
    if (!facts.isFile() || facts.nlink !== 1)
      return await setAside(state, folder, name, "it is no plain file");
    const outcome = await submit(state, folder, name, file);
    if (outcome === "taken") {
      await unlink(path);
      state.log("info", "pickup.taken", { file: name, uid: facts.uid });
    }
    return outcome;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return "gone";
    if (code === "ELOOP") return setAside(state, folder, name, "it is a link");
    state.log("warn", "pickup.failed", { path, text: wordsOf(error) });
    return "later";
  } finally {
    await file?.close();
  }
}

async function submit(
  state: State,
  folder: PickupFolder,
  name: string,
  file: FileHandle,
): Promise<Outcome> {
  const line = await firstLine(file, ENVELOPE_BYTES_MAX);
  const envelope = line === undefined ? undefined : unpackEnvelope(line.toString());
  if (line === undefined || envelope === undefined)
    return setAside(state, folder, name, "its first line is no envelope");
  const peer: Peer = { caller: folder.caller, addressOf: () => null };
  for (const { query, idempotencyKey } of partsOf(name, envelope)) {
    const request = new Request(`http://pickup/send?${query}`, {
      method: "POST",
      headers: { "content-type": "message/rfc822", "idempotency-key": idempotencyKey },
      // The file is open for its other parts.
      body: streamOf(file, line.length + 1, async () => {}),
    });
    const response = await state.door.send(request, peer);
    const problem = await wordsIn(response);
    if (response.status < 300) continue;
    if (response.status === 429 || response.status === 503) return "refusing";
    if (problem.name === "concurrent_idempotent_requests" || response.status >= 500) {
      state.log("warn", "pickup.failed", { path: join(folder.path, name), text: problem.detail });
      return "later";
    }
    return setAside(state, folder, name, problem.detail);
  }
  return "taken";
}

interface ProblemWords {
  readonly name: string;
  readonly detail: string;
}

async function wordsIn(response: Response): Promise<ProblemWords> {
  const { name, detail, errors } = (await response.json()) as Partial<ProblemWords> & {
    readonly errors?: readonly { readonly detail?: string }[];
  };
  const faults = (errors ?? []).map((one) => one.detail ?? "");
  return { name: name ?? "", detail: [detail ?? "", ...faults].join(" ").trim() };
}

/** Nothing is lost: an operator finds it, and the log says why. */
async function setAside(
  { log }: State,
  { path: folder }: PickupFolder,
  name: string,
  why: string,
): Promise<Outcome> {
  const aside = join(folder, FAILED_FOLDER);
  try {
    await mkdir(aside, { recursive: true, mode: 0o700 });
    // Others may have made it first, as a link to where they want our files, or to read what others wrote.
    const made = await lstat(aside);
    if (!made.isDirectory() || made.uid !== process.geteuid?.())
      throw new Error(`${aside} is not a folder of this daemon's own`);
    await rename(join(folder, name), join(aside, name));
  } catch (error) {
    log("error", "pickup.stuck", { path: join(folder, name), why, text: wordsOf(error) });
    return "later";
  }
  log("error", "pickup.set_aside", { path: join(aside, name), why });
  return "aside";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
