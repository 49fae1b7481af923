// What every sender thread can tell of itself.
import type { Sender } from "../../deliver/sender.ts";
import type { Tracer } from "../../deliver/trace.ts";
import { done, type SenderCommand } from "../../mail/command.ts";
import type { DkimKey } from "../../mail/dkim/key.ts";
import type { Handlers } from "./handle.ts";

export function senderHandlers(
  sender: Pick<Sender, "gauges" | "sites">,
  tracer: Pick<Tracer, "watch" | "unwatch">,
  signWith: (keys: readonly DkimKey[]) => void,
): Handlers<SenderCommand> {
  return {
    "sender.gauges": () => done(sender.gauges()),
    "sender.sites": ({ site }) =>
      done(sender.sites().filter((one) => site === null || one.site === site)),
    "sender.trace": ({ number, wish }) => done(tracer.watch(number, wish)),
    "sender.untrace": ({ number }) => done(tracer.unwatch(number)),
    "sender.keys": ({ keys }) => done(signWith(keys)),
  };
}
