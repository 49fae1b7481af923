// The settings about this host's own programs and people: where their mail comes in, and mail that does not leave.
import { flag, integer, orNull, text } from "./kinds.ts";
import { setting } from "./setting.ts";

const path = text("a path", /^[^\0]+$/);

export const localSettings = {
  runtimeDir: setting({
    name: "runtime_dir",
    kind: path,
    default: "",
    usually: "`$RUNTIME_DIRECTORY`, else `/run/postrider`",
    help: "Folder of the sockets for other users, where it is there and may be written: `control.sock` for the group `postrider`, `submit.sock` for all, to send only",
  }),
  pickupDir: setting<string | null>({
    name: "pickup_dir",
    kind: orNull(path, "none"),
    default: "/var/spool/postrider",
    help: "A folder besides `data_dir/pickup` where `sendmail` leaves mail while the daemon is down, for users who may not open that one; where it is there (mode 1733)",
  }),
  capture: setting({
    name: "capture",
    kind: flag,
    default: false,
    help: "Nothing leaves the host: every message ends in the built-in inbox, and stays there though this is switched off",
  }),
  inboxMaxMessages: setting({
    name: "inbox_max_messages",
    kind: integer({ min: 0, max: 100_000 }),
    default: 1000,
    help: "Messages that the built-in inbox keeps, of `capture` and of `*@postrider.test`; the oldest go first",
  }),
} as const;

/** systemd's RuntimeDirectory=, of which the first is ours. */
export function defaultRuntimeDir(env: Readonly<Record<string, string | undefined>>): string {
  const given = env["RUNTIME_DIRECTORY"]?.split(":")[0];
  return given === undefined || given === "" ? "/run/postrider" : given;
}
