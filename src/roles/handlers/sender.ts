// What every sender thread can tell of itself.
import type { Sender } from "../../deliver/sender.ts";
import { done, type SenderCommand } from "../../mail/command.ts";
import type { DkimKey } from "../../mail/dkim/key.ts";
import type { Handlers } from "./handle.ts";

export function senderHandlers(
  sender: Pick<Sender, "gauges">,
  signWith: (keys: readonly DkimKey[]) => void,
): Handlers<SenderCommand> {
  return {
    "sender.gauges": () => done(sender.gauges()),
    "sender.keys": ({ keys }) => done(signWith(keys)),
  };
}
