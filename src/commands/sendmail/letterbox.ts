// The pickup folder from the sender's side: a file is written under a name that nobody reads, brought to the disk, and only then
// given its own name, so that the daemon finds whole messages or none.
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { packEnvelope, type PickupEnvelope } from "../../mail/pickup.ts";
import type { Collected } from "./collected.ts";

export type Posted =
  | { readonly kind: "posted" }
  /** None of the folders is there, or may be written by this user. */
  | { readonly kind: "nowhere"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

/** Codes by which a folder says that it is not for us; every other error is the disk's. */
const NOT_OURS = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EROFS"]);

/** Into the first of the folders that takes it. */
export function post(
  folders: readonly string[],
  name: string,
  envelope: PickupEnvelope,
  message: Collected,
): Posted {
  let nowhere = "there is no pickup folder";
  for (const folder of folders) {
    const fault = postTo(folder, name, envelope, message);
    if (fault === undefined) return { kind: "posted" };
    const why = `${folder}: ${fault.message}`;
    if (!NOT_OURS.has(fault.code ?? "")) return { kind: "failed", why };
    nowhere = why;
  }
  return { kind: "nowhere", why: nowhere };
}

const PRIVATE = 0o600;
const DAEMON_READS = 0o644;

function postTo(
  folder: string,
  name: string,
  envelope: PickupEnvelope,
  message: Collected,
): NodeJS.ErrnoException | undefined {
  const hidden = join(folder, `.${name}`);
  let fd: number | undefined;
  try {
    // In a folder of its own user the daemon reads it as its owner; in one for all, nobody else can find the name.
    const { uid } = statSync(folder);
    const mode = uid === process.getuid?.() ? PRIVATE : DAEMON_READS;
    fd = openSync(hidden, "wx", PRIVATE);
    // Whatever the user's umask would take away: what the daemon cannot read is never sent.
    fchmodSync(fd, mode);
    const write = (bytes: Uint8Array): void => {
      for (let done = 0; done < bytes.length;) done += writeSync(fd as number, bytes, done);
    };
    write(Buffer.from(packEnvelope(envelope)));
    for (const piece of message.pieces()) write(piece);
    fsyncSync(fd);
    renameSync(hidden, join(folder, name));
    // The folder of others cannot be opened to be synced; with the file's second sync its name is on the disk as well.
    fsyncSync(fd);
    syncIfAllowed(folder);
    return undefined;
  } catch (error) {
    remove(hidden, fd);
    return error as NodeJS.ErrnoException;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function syncIfAllowed(folder: string): void {
  let handle: number;
  try {
    handle = openSync(folder, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What is left of it is swept by the daemon, if it cannot be removed now. */
function remove(path: string, fd: number | undefined): void {
  if (fd === undefined) return;
  try {
    unlinkSync(path);
  } catch {
    return;
  }
}
