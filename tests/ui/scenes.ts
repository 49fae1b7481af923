// What the daemon says while somebody looks at the dashboard: one bad afternoon, with everything in it that a view has to show, and one
// on which nothing happens. The shapes are the product's own types, so that a change of theirs is noticed here.
import { annsRoad, events, raw } from "./scenes/events.ts";
import { calmFigures, figures } from "./scenes/figures.ts";
import { list } from "./scenes/instants.ts";
import { email, emails, MESSAGE } from "./scenes/messages.ts";
import {
  captured,
  capturedView,
  domain,
  HOOK,
  HOOK_EVENT,
  hookAttempts,
  hookEvents,
  INBOX,
  suppressions,
  webhooks,
} from "./scenes/rest.ts";
import { sites } from "./scenes/sites.ts";

/** By path without its query. A text is sent as it is. */
export type Scene = Readonly<Record<string, unknown>>;

export const badDay: Scene = {
  "/figures": figures,
  "/sites": list(sites),
  "/emails": list(emails, true),
  [`/emails/${MESSAGE}`]: email,
  [`/emails/${MESSAGE}/events`]: list(events),
  [`/emails/${MESSAGE}/raw`]: raw,
  "/explain/example.org": annsRoad,
  "/suppressions": list(suppressions),
  "/webhooks": list(webhooks),
  [`/webhooks/${HOOK}`]: webhooks[0],
  [`/webhooks/${HOOK}/events`]: list(hookEvents, true),
  [`/webhooks/${HOOK}/events/${HOOK_EVENT}`]: { ...hookEvents[0], payload: events[4] },
  [`/webhooks/${HOOK}/events/${HOOK_EVENT}/attempts`]: list(hookAttempts),
  "/domains": list([domain]),
  "/domains/shop.example": domain,
  "/inbox": list([captured]),
  [`/inbox/${INBOX}`]: capturedView,
  [`/inbox/${INBOX}/raw`]: raw,
};

export const quietDay: Scene = {
  ...Object.fromEntries(
    ["/sites", "/emails", "/suppressions", "/webhooks", "/domains", "/inbox"].map((path) => [
      path,
      list([]),
    ]),
  ),
  "/figures": calmFigures,
};
