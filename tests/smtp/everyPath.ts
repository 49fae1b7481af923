// Runs a function once for every sequence of choices that it can make: a depth-first walk, replayed from the start for each path.

export type Choose = <T>(options: readonly T[]) => T;

export function everyPath(run: (choose: Choose) => void): number {
  const taken: { at: number; of: number }[] = [];
  let paths = 0;
  for (;;) {
    let depth = 0;
    run((options) => {
      const known = taken[depth];
      const choice = known ?? { at: 0, of: options.length };
      if (known === undefined) taken.push(choice);
      depth++;
      return options[choice.at] as (typeof options)[number];
    });
    paths++;
    while (taken.length > 0 && (taken.at(-1)?.at ?? 0) + 1 >= (taken.at(-1)?.of ?? 0)) taken.pop();
    const last = taken.at(-1);
    if (last === undefined) return paths;
    last.at++;
  }
}
