// Durations and sizes as people say them, for terminals.

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
];

/** The two greatest units, such as `3h 20m`; below a minute `4.2s` or `17ms`. */
export function humanDuration(durationMs: number): string {
  if (durationMs < 0) return `-${humanDuration(-durationMs)}`;
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 60_000) return `${Math.floor(durationMs / 100) / 10}s`;
  const first = UNITS.findIndex(([, unitMs]) => durationMs >= unitMs);
  const [name, unitMs] = UNITS[first] as readonly [string, number];
  const [nextName, nextMs] = UNITS[first + 1] ?? (["s", 1000] as const);
  const rest = Math.floor((durationMs % unitMs) / nextMs);
  return `${Math.floor(durationMs / unitMs)}${name}${rest === 0 ? "" : ` ${rest}${nextName}`}`;
}

export function humanBytes(bytes: number): string {
  for (const [unit, size] of [
    ["TB", 1e12],
    ["GB", 1e9],
    ["MB", 1e6],
    ["KB", 1e3],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toFixed(1)}${unit}`;
  return `${bytes}B`;
}

/** `1,234,567`. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}
