// The suppressions of the store in memory, and what a report adds to a recipient that has come to its end.
import { IDS_PER_MS } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { Suppression } from "../mail/suppression.ts";
import type { Entry, Image } from "./memory-image.ts";
import type { Annotation, QueueStore } from "./store.ts";

type Verbs = Pick<
  QueueStore,
  "suppress" | "unsuppress" | "suppression" | "suppressionById" | "anySuppressed" | "annotate"
>;

export interface SuppressDeps {
  readonly image: Image;
  readonly changed: (undo: () => void) => void;
  readonly put: (id: number, entry: Entry) => void;
  readonly tell: (annotation: Annotation, step: number) => void;
}

export function createSuppressions({ image, changed, put, tell }: SuppressDeps): Verbs {
  const { suppressions } = image;
  return {
    suppression: (address) => suppressions.get(address),
    suppressionById: (id) => [...suppressions.values()].find((one) => one.id === id),
    suppress({ address, origin, source, reason, at }) {
      const known = suppressions.get(address);
      if (known !== undefined) return known;
      const last = Math.max(0, ...[...suppressions.values()].map(({ id }) => id));
      const id = Math.max(last + 1, at * IDS_PER_MS);
      const entry: Suppression = { id, address, origin, source, reason, at };
      changed(() => void suppressions.delete(address));
      suppressions.set(address, entry);
      return undefined;
    },
    unsuppress(address) {
      const known = suppressions.get(address);
      if (known === undefined) return undefined;
      changed(() => void suppressions.set(address, known));
      suppressions.delete(address);
      return known;
    },
    anySuppressed: () => suppressions.size > 0,
    annotate(annotation) {
      const { message, n, step } = annotation;
      const entry = image.messages.get(message);
      const row = entry?.rows.find((one) => one.n === n);
      if (entry === undefined || row === undefined || !isFinal(row.state.at)) return false;
      const noted = { ...row, steps: [...row.steps, step] };
      put(message, { ...entry, rows: entry.rows.map((one) => (one === row ? noted : one)) });
      tell(annotation, row.steps.length);
      return true;
    },
  };
}
