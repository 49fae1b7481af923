// The few forms that most questions of the dashboard have.

/** The daemons that are chosen at the top of the dashboard. */
export const I = 'instance=~"$instance"';
/** The sites that are. */
export const S = 'site=~"$site"';

/** What a counter adds in a second, by these labels. */
export function rate(name: string, by: string, only: string = I): string {
  return `sum by (${by}) (rate(${name}{${only}}[$__rate_interval]))`;
}

/** The value that this share of the observations does not pass. */
export function histogram(share: number, name: string, by?: string): string {
  const labels = by === undefined ? "le" : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${name}_bucket{${I}}[$__rate_interval])))`;
}
