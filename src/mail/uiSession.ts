// A login of the dashboard, as the door tells the page of it.
import type { Scope } from "./apiKey.ts";

/** GET and POST /ui/session: who is logged in. Nobody is no error, since every visit begins so. */
export type UiSessionView =
  UiLoggedIn | { readonly object: "ui_session"; readonly logged_in: false };

export interface UiLoggedIn {
  readonly object: "ui_session";
  readonly logged_in: true;
  readonly key: { readonly id: string; readonly name: string };
  readonly scopes: readonly Scope[];
  /** To be said in the header `X-Postrider-CSRF` of every request that changes something. */
  readonly csrf_token: string;
  /** It ends then, whatever is done with it. */
  readonly expires_at: string;
  /** So long without a request ends it earlier. */
  readonly idle_seconds: number;
}

export const CSRF_HEADER = "x-postrider-csrf";
