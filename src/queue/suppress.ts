// Addresses that get no mail: who comes onto the list by itself, and who is kept from being tried. All of it inside a transaction, so
// that the entry and the verdict that made it stand or fall together.
import { domainOf } from "../mail/message.ts";
import type { Submission } from "../mail/submission.ts";
import { REASON_MAX, type Suppression, suppressionKey } from "../mail/suppression.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import type { TroubleClass, Verdict } from "../mail/verdict.ts";
import { type EpochMs, iso } from "../base/clock.ts";
import { SINK_SITE } from "./outage.ts";
import type { QueuePolicy } from "./policy.ts";
import { note } from "./settlement.ts";
import type { QueueStore } from "./store.ts";

/**
 * Which failures say that the address itself is no good. `Verdict.suppress` is the rule's word for one reply (deliver/rules/); this table is
 * the second lock, so that a rule that is wrong about its class suppresses nobody.
 */
const blamesAddress: Readonly<Record<TroubleClass, boolean>> = {
  // There is no such mailbox, or it is closed for good: it bounces tomorrow too, and each further try costs our name.
  mailbox: true,
  // It is there, and will be emptied.
  full: false,
  // What somebody thinks of us or of our content, which is ours to mend.
  policy: false,
  spam: false,
  authentication: false,
  // The server's wish for patience.
  greylist: false,
  rate: false,
  // Nobody was asked about a mailbox.
  network: false,
  tls: false,
  dns: false,
  protocol: false,
  // The smarthost's own refusal.
  relay: false,
  // Of this message only.
  size: false,
  // Not understood, so not believed.
  other: false,
  local: false,
  none: false,
};

/** Also the built-in sink's bounces are only for show, and must show again tomorrow. */
export function suppresses({ kind, class: trouble, suppress }: Verdict, address: string): boolean {
  if (suppress !== true || kind !== "failed" || !blamesAddress[trouble]) return false;
  return domainOf(address) !== SINK_SITE;
}

export interface Suppressing {
  /** A verdict has bounced this recipient. */
  bounced(verdict: Verdict, address: string, at: EpochMs): void;
  /** The step that says why it is not tried; undefined: it may be. */
  barOf(address: string, at: EpochMs): string | undefined;
  /** Whether anybody at all need be asked about. */
  isNeeded(): boolean;
}

export function createSuppressing(
  store: Pick<QueueStore, "suppress" | "suppression" | "anySuppressed">,
  policy: Pick<QueuePolicy, "suppressBounces">,
  added: (address: string, reason: string) => void = () => {},
): Suppressing {
  return {
    isNeeded: store.anySuppressed,
    barOf(address, at) {
      const entry = store.suppression(suppressionKey(address));
      return entry === undefined ? undefined : note(at, "suppressed", whyOf(entry));
    },
    bounced(verdict, address, at) {
      if (!policy.suppressBounces || !suppresses(verdict, address)) return;
      const key = suppressionKey(address);
      const reason = replyOf(verdict.step);
      const source = verdict.message;
      const stood = store.suppress({ address: key, origin: "bounce", source, reason, at });
      if (stood === undefined) added(key, reason);
    },
  };
}

export function isSuppressed(
  store: Pick<QueueStore, "suppression" | "anySuppressed">,
  address: string,
): boolean {
  return store.anySuppressed() && store.suppression(suppressionKey(address)) !== undefined;
}

function whyOf({ origin, reason, at }: Suppression): string {
  const since = iso(at);
  const words = reason === "" ? "" : `: ${reason}`;
  return `on the suppression list since ${since} (${origin}${words})`;
}

/** The remote server's words. */
function replyOf(step: string): string {
  const [attempt] = unpackTimeline(step).filter(
    (one): one is AttemptStep => one.kind === "attempt",
  );
  if (attempt === undefined) return "";
  const { code, enhanced, text } = attempt;
  const status = enhanced === "" || text.startsWith(enhanced) ? "" : `${enhanced} `;
  return `${code === 0 ? "" : `${code} `}${status}${text}`.slice(0, REASON_MAX);
}

/** Which recipients of a call were suppressed, by its messages' places. */
export function placesOf(
  messages: readonly Submission[],
  barred: readonly { readonly message: number; readonly n: number }[],
): readonly { readonly message: number; readonly n: number }[] {
  const places = new Map(messages.map(({ head }, place) => [head.id, place]));
  return barred.flatMap(({ message, n }) => {
    const place = places.get(message);
    return place === undefined ? [] : [{ message: place, n }];
  });
}
