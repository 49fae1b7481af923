// A table that is one for everybody: a caption, heads with their scope, and, where it is wider than the window, a frame that the keyboard
// can move.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface Column {
  readonly name: string;
  /** Numbers stand right, one below the other. */
  readonly isNumber?: boolean;
  /** Left out where the window is narrow: the first column says it in short. */
  readonly isWide?: boolean;
  /** Its name is for the ear alone, as over a column of buttons. */
  readonly isQuiet?: boolean;
}

interface TableProps {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly children: ComponentChildren;
  readonly captionIsShown?: boolean;
}

export function Table({ caption, columns, children, captionIsShown = false }: TableProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [isCut, setIsCut] = useState(false);
  useEffect(() => {
    const { current } = frame;
    if (current === null) return;
    const measure = (): void => setIsCut(current.scrollWidth > current.clientWidth + 1);
    const observer = new ResizeObserver(measure);
    observer.observe(current);
    // The table may grow while its frame does not.
    if (current.firstElementChild !== null) observer.observe(current.firstElementChild);
    measure();
    return () => observer.disconnect();
  }, []);
  // Only what can be moved takes a stop of the keyboard.
  const moving = isCut ? ({ tabIndex: 0, role: "region", "aria-label": caption } as const) : {};
  return (
    <div class="table" ref={frame} {...moving}>
      <table>
        <caption class={captionIsShown ? "" : "unseen"}>{caption}</caption>
        <thead>
          <tr>
            {columns.map((one) => (
              <th key={one.name} scope="col" class={classOf(one)}>
                {one.isQuiet === true ? <span class="unseen">{one.name}</span> : one.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function classOf({ isNumber = false, isWide = false }: Column): string {
  return `${isNumber ? "number" : ""} ${isWide ? "wide" : ""}`.trim();
}
