// What the page has of its browser: time, requests, streams and a little memory. It stands here alone, so that everything else is either a
// pure function or a component.

export interface Waiting {
  /** Idempotent. */
  cancel(): void;
}

export function now(): number {
  return Date.now();
}

export function after(delayMs: number, run: () => void): Waiting {
  const handle = setTimeout(run, delayMs);
  return { cancel: () => clearTimeout(handle) };
}

/** To where the page came from; the browser adds the cookie of the session. */
export function request(path: string, init: RequestInit): Promise<Response> {
  return fetch(path, { credentials: "same-origin", cache: "no-store", ...init });
}

export function openStream(path: string): EventSource {
  return new EventSource(path);
}

/** Null: never said, or this browser keeps nothing. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`postrider.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`postrider.${name}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** False: this browser gives no page its clipboard, as without HTTPS on another host. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
