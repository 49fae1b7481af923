// Small words within a line: a state, an instant, something to copy.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { copyText } from "../browser.ts";
import { dueText, fromNow, instant } from "../model/format.ts";
import { countStates, type Tone, toneOf } from "../model/words.ts";
import { nowMs } from "../ticking.ts";

export function Mark({ tone, children }: { readonly tone: Tone; readonly children: string }) {
  return <span class={`mark ${tone}`}>{children}</span>;
}

export function State({ state }: { readonly state: string }) {
  return <Mark tone={toneOf(state)}>{state}</Mark>;
}

/** Of several recipients: each state once, with its count. */
export function States({ states }: { readonly states: readonly string[] }) {
  const counts = countStates(states);
  return (
    <span class="marks">
      {counts.map(({ state, count }) => (
        <Mark key={state} tone={toneOf(state)}>
          {counts.length === 1 && count === 1 ? state : `${count} ${state}`}
        </Mark>
      ))}
    </span>
  );
}

interface WhenProps {
  readonly at: string;
  /** Also how far from now. */
  readonly relative?: boolean;
  readonly ms?: boolean;
}

export function When({ at, relative = false, ms = false }: WhenProps) {
  return (
    <time dateTime={at} class="when" title={`${instant(at, { ms: true })} UTC`}>
      {relative ? fromNow(at, nowMs.value) : instant(at, { ms })}
    </time>
  );
}

/** The time of what is to be tried next; null: nothing is. */
export function Due({ at }: { readonly at: string | null }) {
  if (at === null) return <None />;
  return (
    <time dateTime={at} class="when" title={`${instant(at, { ms: true })} UTC`}>
      {dueText(at, nowMs.value)}
    </time>
  );
}

/** `what` names it for those who do not see where the button stands. */
export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [said, setSaid] = useState<"" | "copied" | "select it by hand">("");
  const copy = async (): Promise<void> =>
    setSaid((await copyText(text)) ? "copied" : "select it by hand");
  return (
    <span class="copy">
      <button type="button" class="small" aria-label={`Copy ${what}`} onClick={() => void copy()}>
        Copy
      </button>
      <span role="status" class="dim">
        {said}
      </span>
    </span>
  );
}

/** Nothing is there to show: said to the ear as well as to the eye. */
export function None({ children = "none" }: { readonly children?: string }) {
  return <span class="dim">{children}</span>;
}

export function Facts({ children }: { readonly children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

interface FactProps {
  readonly name: string;
  readonly children: ComponentChildren;
}

export function Fact({ name, children }: FactProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
