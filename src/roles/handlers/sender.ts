// What every sender thread can tell of itself.
import type { Sender } from "../../deliver/sender.ts";
import type { Tracer } from "../../deliver/trace.ts";
import { done, type SenderCommand } from "../../mail/command.ts";
import type { DkimKey } from "../../mail/dkim/key.ts";
import type { SenderSiteView } from "../../mail/explain.ts";
import type { Handlers } from "./handle.ts";

type Sites = Pick<Sender, "sites" | "phases">;

/** Of all sites those that have most to do: thousands with their percentiles would hold up the mail. */
const SITES_TOLD_MAX = 300;

export function sitesOf(sender: Sites, wanted: string | null): readonly SenderSiteView[] {
  const work = (one: { readonly waiting: number; readonly running: number }): number =>
    one.waiting + one.running;
  const found = sender.sites().filter(({ site }) => wanted === null || site === wanted);
  const told =
    found.length <= SITES_TOLD_MAX
      ? found
      : found.toSorted((a, b) => work(b) - work(a)).slice(0, SITES_TOLD_MAX);
  return told.map((one) => ({
    ...{ ...one, limits: { ...one.limits } },
    phases: sender.phases(one.site),
  }));
}

export function senderHandlers(
  sender: Sites & Pick<Sender, "gauges">,
  tracer: Pick<Tracer, "watch" | "unwatch">,
  signWith: (keys: readonly DkimKey[]) => void,
): Handlers<SenderCommand> {
  return {
    "sender.gauges": () => done(sender.gauges()),
    "sender.sites": ({ site }) => done(sitesOf(sender, site)),
    "sender.trace": ({ number, wish }) => done(tracer.watch(number, wish)),
    "sender.untrace": ({ number }) => done(tracer.unwatch(number)),
    "sender.keys": ({ keys }) => done(signWith(keys)),
  };
}
