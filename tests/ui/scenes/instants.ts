// The moment at which everybody looks at the dashboard, in pictures and in tests.
import type { ListView } from "../../../src/mail/query.ts";

export const NOW = Date.parse("2026-11-23T13:45:00.000Z");
export const at = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1000).toISOString();

export const list = <T>(data: readonly T[], has_more = false): ListView<T> => {
  return { object: "list", has_more, data };
};
