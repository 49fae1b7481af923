// TLS sessions that may be resumed: one a host, bounded, and dropped with age, so that a certificate is looked at anew now and then.
import type { Clock } from "../base/clock.ts";

export interface Sessions {
  get(host: string): Buffer | undefined;
  keep(host: string, session: Buffer): void;
  clear(): void;
}

const SESSIONS_MAX = 1_000;
/** RFC 8446 4.6.1 allows a week; a day keeps what is pinned to a certificate close to the truth. */
const AGE_MAX_MS = 86_400_000;

export function createSessions(clock: Pick<Clock, "monotonicMs">): Sessions {
  const sessions = new Map<string, { readonly session: Buffer; readonly at: number }>();
  return {
    get(host) {
      const kept = sessions.get(host);
      return kept !== undefined && clock.monotonicMs() - kept.at < AGE_MAX_MS
        ? kept.session
        : undefined;
    },
    keep(host, session) {
      sessions.delete(host);
      sessions.set(host, { session, at: clock.monotonicMs() });
      const [oldest] = sessions.keys();
      if (sessions.size > SESSIONS_MAX && oldest !== undefined) sessions.delete(oldest);
    },
    clear: () => sessions.clear(),
  };
}
