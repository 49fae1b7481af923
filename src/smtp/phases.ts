// The table of phases: what a server must answer, how long it may take, and what it means to lose it there.

export interface PhaseRule {
  /** First digit of the reply that lets the session go on. */
  readonly expects: 2 | 3;
  /** RFC 5321 4.5.3.2: a deadline for the whole reply, not for each byte of it. */
  readonly timeoutMs: number;
  /** Losing the connection here may mean that the server took the message. */
  readonly doubt: boolean;
}

export const phases = {
  greeting: { expects: 2, timeoutMs: 300_000, doubt: false },
  ehlo: { expects: 2, timeoutMs: 300_000, doubt: false },
  helo: { expects: 2, timeoutMs: 300_000, doubt: false },
  starttls: { expects: 2, timeoutMs: 120_000, doubt: false },
  // Not a command: the handshake itself, for which no RFC sets a time.
  tls: { expects: 2, timeoutMs: 60_000, doubt: false },
  // Each line of the conversation (RFC 4954 4).
  auth: { expects: 2, timeoutMs: 120_000, doubt: false },
  mail: { expects: 2, timeoutMs: 300_000, doubt: false },
  rcpt: { expects: 2, timeoutMs: 300_000, doubt: false },
  data: { expects: 3, timeoutMs: 120_000, doubt: false },
  // One block of the body; before the dot nothing can have been taken.
  body: { expects: 2, timeoutMs: 180_000, doubt: false },
  // Ten minutes is RFC 5321 4.5.3.2.6. A shorter wait makes duplicates.
  dot: { expects: 2, timeoutMs: 600_000, doubt: true },
  // The lone dot after a 354 that came although every recipient was refused (RFC 2920 3.1).
  void: { expects: 2, timeoutMs: 60_000, doubt: false },
  rset: { expects: 2, timeoutMs: 20_000, doubt: false },
} as const satisfies Record<string, PhaseRule>;

export type Phase = keyof typeof phases;

/** Deadlines by phase; a table of one's own replaces `phases` in tests. */
export type Deadlines = Readonly<Record<Phase, number>>;

export const rfcDeadlines: Deadlines = Object.fromEntries(
  Object.entries(phases).map(([phase, rule]) => [phase, rule.timeoutMs]),
) as Record<Phase, number>;
