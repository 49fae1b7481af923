// The kinds of values that a setting may have: how each is read from text or from TOML, what is allowed, and how it is shown again.
import { grouped } from "../base/human.ts";
import { ipFamily, parseCidr } from "../base/cidr.ts";
import { type LogLevels, logLevels, parseLogLevels, showLogLevels } from "../base/log.ts";
import type { Machine } from "./machine.ts";

export interface Kind<T> {
  /** For people: what may be written. */
  readonly allowed: string;
  /** Undefined: not allowed. `raw` is text from a flag or the environment, or any value of TOML. */
  parse(raw: unknown, machine: Machine): T | undefined;
  /** Where `parse` says no: each slip by itself. Without it, the whole value is told. */
  problems?(raw: unknown): readonly string[];
  /** What `parse` would read as the same value. */
  show(value: T): string;
}

export interface Endpoint {
  /** An IP address without brackets, or a name. */
  readonly host: string;
  readonly port: number;
}

/** One value a priority, in their order: p0, p1, p2. */
export type PerPriority<T> = readonly [T, T, T];

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

const inBounds = (value: number, { min, max }: Bounds): number | undefined =>
  value >= min && value <= max ? value : undefined;

export function integer(bounds: Bounds): Kind<number> {
  return {
    allowed: `a whole number from ${grouped(bounds.min)} to ${grouped(bounds.max)}`,
    parse(raw) {
      if (typeof raw === "string" && !/^\d{1,15}$/.test(raw.replaceAll("_", ""))) return undefined;
      const value = typeof raw === "string" ? Number(raw.replaceAll("_", "")) : raw;
      return Number.isSafeInteger(value) ? inBounds(value as number, bounds) : undefined;
    },
    show: String,
  };
}

const DURATION_UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|m|h|d)$/.exec(text.trim());
  const unitMs = DURATION_UNITS.find(([unit]) => unit === match?.[2])?.[1];
  return match === null || unitMs === undefined ? undefined : Math.round(Number(match[1]) * unitMs);
}

export function showDuration(durationMs: number): string {
  const unit = DURATION_UNITS.find(([, unitMs]) => durationMs % unitMs === 0);
  if (durationMs === 0 || unit === undefined) return `${durationMs}ms`;
  return `${durationMs / unit[1]}${unit[0]}`;
}

export function duration(bounds: Bounds): Kind<number> {
  const range = `${showDuration(bounds.min)} to ${showDuration(bounds.max)}`;
  return {
    allowed: `a duration such as 15s, 10m, 72h or 5d, from ${range}`,
    parse(raw) {
      const value = typeof raw === "string" ? parseDurationMs(raw) : undefined;
      return value === undefined ? undefined : inBounds(value, bounds);
    },
    show: showDuration,
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,3})?) ?([a-z]{0,3})$/i.exec(text.trim());
  const unit = SIZE_UNITS[match?.[2]?.toLowerCase() ?? "none"];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

export function showSize(sizeBytes: number): string {
  for (const unit of ["TB", "GB", "TiB", "GiB", "MB", "MiB", "KB", "KiB"]) {
    const step = SIZE_UNITS[unit.toLowerCase()] as number;
    if (sizeBytes > 0 && sizeBytes % step === 0) return `${sizeBytes / step}${unit}`;
  }
  return String(sizeBytes);
}

export function size(bounds: Bounds): Kind<number> {
  return {
    allowed: `a size such as 40MB or 64MiB, from ${showSize(bounds.min)} to ${showSize(bounds.max)}`,
    parse(raw) {
      const value = typeof raw === "string" ? parseSizeBytes(raw) : raw;
      return Number.isSafeInteger(value) ? inBounds(value as number, bounds) : undefined;
    },
    show: showSize,
  };
}

/** A size, or a share of the data folder's volume. */
export function share(bounds: Bounds): Kind<number> {
  const plain = size(bounds);
  return {
    allowed: `${plain.allowed}, or a share of the volume such as 50%`,
    parse(raw, machine) {
      const percent = typeof raw === "string" ? /^(\d{1,3}) ?%$/.exec(raw.trim()) : null;
      if (percent === null) return plain.parse(raw, machine);
      const part = Number(percent[1]);
      if (part < 1 || part > 100) return undefined;
      return Math.max(bounds.min, Math.floor((machine.volumeBytes * part) / 100));
    },
    show: showSize,
  };
}

export const flag: Kind<boolean> = {
  allowed: "true or false",
  parse(raw) {
    if (typeof raw === "boolean") return raw;
    if (raw === "true" || raw === "yes" || raw === "on" || raw === "1") return true;
    if (raw === "false" || raw === "no" || raw === "off" || raw === "0") return false;
    return undefined;
  },
  show: String,
};

/** Of the log: in general, and of single areas. */
export const levels: Kind<LogLevels> = {
  allowed: `one of ${logLevels.join(", ")}; with areas such as info,uplink=debug`,
  parse: (raw) => (typeof raw === "string" ? parseLogLevels(raw) : undefined),
  show: showLogLevels,
};

export function choice<const T extends string>(words: readonly T[]): Kind<T> {
  return {
    allowed: `one of ${words.join(", ")}`,
    parse: (raw) => words.find((word) => word === raw),
    show: (value) => value,
  };
}

export function text(allowed: string, shape: RegExp): Kind<string> {
  return {
    allowed,
    parse: (raw) => (typeof raw === "string" && shape.test(raw) ? raw : undefined),
    show: (value) => value,
  };
}

const NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

function isHostName(name: string): boolean {
  return NAME.test(name) && !/^[\d.]+$/.test(name);
}

/** `127.0.0.1:5353`, `[::1]:53`, `localhost:80`; without a port where a usual one is given. */
export function parseEndpoint(raw: string, usualPort?: number): Endpoint | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(raw.trim());
  const bare = ipFamily(raw.trim()) === 6 ? raw.trim() : undefined;
  const host = bare ?? match?.[1] ?? match?.[2] ?? "";
  const port = match?.[3] === undefined ? usualPort : Number(match[3]);
  if (port === undefined || port > 65_535) return undefined;
  if (match?.[1] !== undefined && ipFamily(match[1]) !== 6) return undefined;
  return ipFamily(host) !== 0 || isHostName(host) ? { host, port } : undefined;
}

export function showEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export const endpoint: Kind<Endpoint> = {
  allowed: "an address and a port, such as 127.0.0.1:8250 or [::1]:8250",
  parse: (raw) => (typeof raw === "string" ? parseEndpoint(raw) : undefined),
  show: showEndpoint,
};

/** Anything of `kind`, or `word` for null. */
export function orNull<T>(kind: Kind<T>, word: string): Kind<T | null> {
  return {
    allowed: `${kind.allowed}, or ${word}`,
    parse: (raw, machine) => (raw === word ? null : kind.parse(raw, machine)),
    show: (value) => (value === null ? word : kind.show(value)),
  };
}

/** Comma-separated text or a TOML array; `none` is the empty list. */
export function list<T>(of: Kind<T>, max: number): Kind<readonly T[]> {
  return {
    allowed: `up to ${max}, separated by commas, of: ${of.allowed}; or none`,
    parse(raw, machine) {
      const parts = Array.isArray(raw) ? (raw as unknown[]) : splitList(raw);
      if (parts === undefined || parts.length > max) return undefined;
      const values = parts.map((part) => of.parse(part, machine));
      return values.includes(undefined) ? undefined : (values as T[]);
    },
    show: (values) => (values.length === 0 ? "none" : values.map(of.show).join(", ")),
  };
}

function splitList(raw: unknown): string[] | undefined {
  if (typeof raw !== "string") return undefined;
  if (raw.trim() === "" || raw.trim() === "none") return [];
  return raw.split(",").map((part) => part.trim());
}

export const nameServer: Kind<Endpoint> = {
  allowed: "an IP address, with a port if it is not 53",
  parse(raw) {
    const server = typeof raw === "string" ? parseEndpoint(raw, 53) : undefined;
    return server !== undefined && ipFamily(server.host) !== 0 && server.port > 0
      ? server
      : undefined;
  },
  show: showEndpoint,
};

/** Stands among ranges for the addresses and the name of this host. */
export const OWN = "own";

export const range: Kind<string> = {
  allowed: `an address range such as 10.0.0.0/8 or fe80::/10, or ${OWN}`,
  parse: (raw) =>
    typeof raw === "string" && (raw === OWN || parseCidr(raw) !== undefined) ? raw : undefined,
  show: (value) => value,
};

export const cidr: Kind<string> = {
  allowed: "an address range such as 10.0.0.0/8 or fe80::/10",
  parse: (raw) => (typeof raw === "string" && parseCidr(raw) !== undefined ? raw : undefined),
  show: (value) => value,
};

/** A table with the keys p0, p1 and p2 in the file; what is absent keeps its default. */
export function perPriority<T>(of: Kind<T>, defaults: PerPriority<T>): Kind<PerPriority<T>> {
  return {
    allowed: `a table with any of the keys p0, p1 and p2, each: ${of.allowed}`,
    parse(raw, machine) {
      if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
      const table = raw as Readonly<Record<string, unknown>>;
      if (Object.keys(table).some((key) => !/^p[012]$/.test(key))) return undefined;
      const values = defaults.map((value, i) => {
        const given = table[`p${i}`];
        return given === undefined ? value : of.parse(given, machine);
      });
      return values.includes(undefined) ? undefined : (values as unknown as PerPriority<T>);
    },
    show: (values) => values.map((value, i) => `p${i}: ${of.show(value)}`).join("; "),
  };
}

/** A table in the file with a duration for each of these names; what is absent keeps its default. */
export function durations<const Name extends string>(
  bounds: Bounds,
  defaults: Readonly<Record<Name, number>>,
): Kind<Readonly<Record<Name, number>>> {
  const names = Object.keys(defaults) as Name[];
  const one = duration(bounds);
  return {
    allowed: `a table with any of the keys ${names.join(", ")}, each: ${one.allowed}`,
    parse(raw, machine) {
      if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
      const table = raw as Readonly<Record<string, unknown>>;
      if (Object.keys(table).some((key) => !Object.hasOwn(defaults, key))) return undefined;
      const values = names.map((name): [Name, number | undefined] => [
        name,
        table[name] === undefined ? defaults[name] : one.parse(table[name], machine),
      ]);
      if (values.some(([, value]) => value === undefined)) return undefined;
      return Object.fromEntries(values) as Readonly<Record<Name, number>>;
    },
    show: (values) => names.map((name) => `${name}: ${one.show(values[name])}`).join("; "),
  };
}
