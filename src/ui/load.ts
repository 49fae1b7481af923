// What a view shows of the API: asked for when it appears, again while somebody looks at it, and never overtaken by an older answer. When
// a later answer fails, what is known stays and the fault is shown beside it.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ask } from "./api.ts";
import { after, type Waiting } from "./browser.ts";
import type { Fault } from "./problem.ts";

export type Loaded<T> =
  | { readonly at: "loading" }
  | { readonly at: "ready"; readonly value: T; readonly fault: Fault | null }
  | { readonly at: "failed"; readonly fault: Fault };

export interface Load<T> {
  readonly loaded: Loaded<T>;
  /** Asks at once; resolves when the answer is there. */
  readonly again: () => Promise<void>;
}

/** `everyMs` asks anew so often while the page is seen; null: once. A path of null asks for nothing. */
export function useLoad<T>(path: string | null, everyMs: number | null = null): Load<T> {
  const [loaded, setLoaded] = useState<{ readonly path: string | null; readonly is: Loaded<T> }>({
    path,
    is: { at: "loading" },
  });
  const running = useRef<AbortController | null>(null);
  const again = useCallback(async (): Promise<void> => {
    if (path === null) return;
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    const said = await ask<T>("GET", path, undefined, own.signal);
    if (own.signal.aborted) return;
    setLoaded((before) => {
      if (said.kind === "ok") return { path, is: { at: "ready", value: said.value, fault: null } };
      const known = before.path === path && before.is.at === "ready" ? before.is : null;
      const { fault } = said;
      return { path, is: known === null ? { at: "failed", fault } : { ...known, fault } };
    });
  }, [path]);

  useEffect(() => {
    void again();
    return () => running.current?.abort();
  }, [again]);
  useEffect(() => (everyMs === null ? undefined : whileSeen(everyMs, again)), [again, everyMs]);

  // What was loaded for another path is not what this one asks for.
  return { loaded: loaded.path === path ? loaded.is : { at: "loading" }, again };
}

/** Runs again and again, each time so long after the last one ended, while the page is in sight. */
function whileSeen(everyMs: number, run: () => Promise<void>): () => void {
  let waiting: Waiting | null = null;
  let isOver = false;
  const next = (): void => {
    waiting = after(everyMs, () => {
      if (document.hidden) return next();
      void run().finally(() => {
        if (!isOver) next();
      });
    });
  };
  const seen = (): void => {
    if (!document.hidden) void run();
  };
  document.addEventListener("visibilitychange", seen);
  next();
  return () => {
    isOver = true;
    waiting?.cancel();
    document.removeEventListener("visibilitychange", seen);
  };
}
