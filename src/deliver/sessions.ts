// TLS sessions that may be resumed: one a host, bounded, and dropped with age, so that a certificate is looked at anew now and then.
import type { Clock } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Proof, Shown } from "./proof.ts";

/** A session, and what was shown and proven when it began: a server that resumes it shows nothing new. */
export interface Kept {
  readonly session: Buffer;
  readonly shown: Shown;
  readonly proof: Proof;
}

export interface Sessions {
  get(host: string): Kept | undefined;
  keep(host: string, kept: Kept): void;
  drop(host: string): void;
  clear(): void;
}

const SESSIONS_MAX = 1_000;
/** RFC 8446 4.6.1 allows a week; a day keeps what is pinned to a certificate close to the truth. */
const AGE_MAX_MS = 86_400_000;

export function createSessions(clock: Pick<Clock, "monotonicMs">): Sessions {
  const sessions = new Map<string, { readonly kept: Kept; readonly at: number }>();
  return {
    get(host) {
      const found = sessions.get(host);
      return found !== undefined && clock.monotonicMs() - found.at < AGE_MAX_MS
        ? found.kept
        : undefined;
    },
    keep(host, kept) {
      sessions.delete(host);
      sessions.set(host, { kept, at: clock.monotonicMs() });
      keepNewest(sessions, SESSIONS_MAX);
    },
    drop: (host) => void sessions.delete(host),
    clear: () => sessions.clear(),
  };
}
