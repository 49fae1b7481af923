// How long a client may take in each phase of a session that we serve, and the other bounds of it. A client that keeps to RFC 5321
// never meets one of them.

/** Whole waits, not from byte to byte: a line that comes octet by octet has no more time than one that comes at once. */
const serverPhases = {
  /** From the connection to the login, all commands and the handshake together. */
  stranger: { timeoutMs: 120_000 },
  /** Each line of the conversation (RFC 4954 4). */
  auth: { timeoutMs: 60_000 },
  /** The next command (RFC 5321 4.5.3.2.7). */
  command: { timeoutMs: 300_000 },
  tls: { timeoutMs: 30_000 },
  /** The next block of a message (RFC 5321 4.5.3.2.5). */
  block: { timeoutMs: 180_000 },
  /** All of a message. */
  content: { timeoutMs: 1_800_000 },
  /** Until the client reads what it was told. */
  reading: { timeoutMs: 60_000 },
} as const satisfies Record<string, { readonly timeoutMs: number }>;

export type ServerPhase = keyof typeof serverPhases;

export type ServerTimeouts = Readonly<Record<ServerPhase, number>>;

export const serverTimeouts: ServerTimeouts = Object.fromEntries(
  Object.entries(serverPhases).map(([phase, { timeoutMs }]) => [phase, timeoutMs]),
) as Record<ServerPhase, number>;

export interface ServerLimits {
  /** Octets of a message without its stuffed dots (RFC 1870). */
  readonly messageBytes: number;
  /** Of one message; RFC 5321 4.5.3.1.8 asks for 100. */
  readonly recipients: number;
  /** Octets of a command with its CRLF: 512 (RFC 5321 4.5.3.1.4) and what extensions add. */
  readonly lineOctets: number;
  /** Octets of a line within AUTH (RFC 4954 4). */
  readonly authOctets: number;
  /** Commands of one session; a longer one is ended between two messages. */
  readonly commands: number;
  /** Commands that bring no message: before the first, and from one to the next. */
  readonly idleCommands: number;
  /** Commands before the login. */
  readonly strangerCommands: number;
  /** Refusals since the last message that was taken. */
  readonly errors: number;
  /** Wrong keys in one session. */
  readonly logins: number;
}

export const serverLimits: ServerLimits = {
  messageBytes: 40_000_000,
  recipients: 150,
  lineOctets: 2048,
  authOctets: 12_288,
  commands: 1_000_000,
  idleCommands: 1000,
  strangerCommands: 30,
  errors: 20,
  logins: 3,
};
