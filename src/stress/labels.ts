// Classes of trouble by name, as small numbers. What others say is bounded: they may say something new each time.

export interface Labels {
  indexOf(label: string): number;
  labelOf(index: number): string;
}

const LABELS_MAX = 200;
const LABEL_MAX_CHARS = 80;
const OTHER = "other";

export function createLabels(): Labels {
  const labels = [OTHER];
  const known = new Map([[OTHER, 0]]);
  return {
    indexOf(text) {
      const label = text.slice(0, LABEL_MAX_CHARS);
      const found = known.get(label);
      if (found !== undefined) return found;
      if (labels.length >= LABELS_MAX) return 0;
      known.set(label, labels.length);
      return labels.push(label) - 1;
    },
    labelOf: (index) => labels[index] ?? OTHER,
  };
}
