// Pages by cursor: the API knows what comes after and before a row, and no page numbers.

interface PagerProps {
  /** The links; null: there is no such page. */
  readonly newer: string | null;
  readonly older: string | null;
}

export function Pager({ newer, older }: PagerProps) {
  if (newer === null && older === null) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {newer !== null && <a href={newer}>← Newer</a>}
      {older !== null && <a href={older}>Older →</a>}
    </nav>
  );
}
