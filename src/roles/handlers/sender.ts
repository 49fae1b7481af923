// What every sender thread can tell of itself.
import type { Sender } from "../../deliver/sender.ts";
import { done, type SenderCommand } from "../../mail/command.ts";
import type { DkimKey } from "../../mail/dkim/key.ts";
import type { Handlers } from "./handle.ts";

export function senderHandlers(
  sender: Pick<Sender, "gauges" | "sites">,
  signWith: (keys: readonly DkimKey[]) => void,
): Handlers<SenderCommand> {
  return {
    "sender.gauges": () => done(sender.gauges()),
    "sender.sites": ({ site }) =>
      done(sender.sites().filter((one) => site === null || one.site === site)),
    "sender.keys": ({ keys }) => done(signWith(keys)),
  };
}
