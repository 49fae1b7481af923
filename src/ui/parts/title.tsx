// The head of a view. After a move within the page it takes the focus, as a new page would.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { moves } from "../place.ts";

interface TitleProps {
  readonly text: string;
  /** Behind the title: what belongs to the view as a whole. */
  readonly children?: ComponentChildren;
}

export function Title({ text, children }: TitleProps) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${text} · Postrider`;
  }, [text]);
  const move = moves.value;
  useEffect(() => {
    // Whoever searches goes on typing.
    if (move > 0 && document.activeElement?.closest("form") == null) head.current?.focus();
  }, [move]);
  return (
    <div class="title">
      <h1 ref={head} tabIndex={-1}>
        {text}
      </h1>
      {children}
    </div>
  );
}
