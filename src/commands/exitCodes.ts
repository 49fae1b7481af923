// Exit codes that scripts and service managers act on (sysexits.h, INTERFACE 3).
export const exitCodes = {
  done: 0,
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The daemon does not answer. */
  unreachable: 69,
  /** The disk failed: starting again makes sense. */
  disk: 74,
  /** Not yet: the message is deferred, or the daemon takes none at the moment. */
  later: 75,
  /** The key or the socket may not be read by this user. */
  noPermission: 77,
  /** The settings are wrong: starting again makes no sense. */
  config: 78,
} as const;
