// One line of the log: a decision worth reading. Where lines go is decided by the role (report/log.ts).

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `event` is a stable key such as `queue.disk_low`; `fields` hold what differs. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

export const noLog: Log = () => {};
