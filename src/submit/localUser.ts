// Who sends from this host without a key: any of its users, by the socket that is open to all and by the pickup folder.
import type { Caller, Scope } from "./caller.ts";

/** They share one number, below those of keys. */
const WITHOUT_KEY = -1;

/** May send, and see nothing. */
export const localUser: Caller = {
  key: WITHOUT_KEY,
  scopes: new Set<Scope>(["send"]),
  domains: null,
  capture: false,
};
