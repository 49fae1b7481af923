// What sendmail's callers look at: the codes of sysexits.h.
export const sysexits = {
  ok: 0,
  usage: 64,
  dataError: 65,
  unavailable: 69,
  software: 70,
  ioError: 74,
  /** The caller keeps the message and tries again. */
  temporary: 75,
  noPermission: 77,
  config: 78,
} as const;
