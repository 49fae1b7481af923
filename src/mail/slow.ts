// Why a destination is slow, in one word and one sentence: a pure function of what the queue, the senders and the reader know of it.

/** What holds a site up; the first that applies is told. */
export const slowCauses = [
  "operator",
  "uplink",
  "port25",
  "no_route",
  "provider_pause",
  "greylist",
  "unreachable",
  "backoff",
  "tls_broken",
  "connect_rate",
  "message_rate",
  "concurrency",
  "limit",
  "server_slow",
  "tls_slow",
  "network_slow",
  "deferred",
  "none",
] as const;
export type SlowCause = (typeof slowCauses)[number];
