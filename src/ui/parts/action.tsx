// Buttons that change something. While the answer is awaited they say so and take no second press; what cannot be undone is asked first.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { mayManage } from "../api.ts";

export interface Question {
  readonly title: string;
  /** What will happen, and that it cannot be undone. */
  readonly text: string;
  /** As the button says it. */
  readonly yes: string;
}

interface ActionProps {
  readonly run: () => Promise<unknown>;
  readonly children: string;
  /** Whom it concerns, for the ear: ten buttons named Pause are no help. */
  readonly of?: string;
  readonly ask?: Question;
  readonly isSmall?: boolean;
  /** It needs no right to change things. */
  readonly isFree?: boolean;
}

export function Action({ run, children, of, ask, isSmall = false, isFree = false }: ActionProps) {
  const [isRunning, setIsRunning] = useState(false);
  const [isAsking, setIsAsking] = useState(false);
  if (!isFree && !mayManage()) return null;
  const go = (): void => {
    setIsAsking(false);
    setIsRunning(true);
    void run().finally(() => setIsRunning(false));
  };
  const press = (): void => {
    if (isRunning) return;
    if (ask === undefined) go();
    else setIsAsking(true);
  };
  return (
    <>
      <button
        type="button"
        class={isSmall ? "small" : ""}
        aria-label={of === undefined ? undefined : `${children} ${of}`}
        aria-disabled={isRunning}
        aria-busy={isRunning}
        onClick={press}
      >
        {children}
        {isRunning ? "…" : ""}
      </button>
      {isAsking && ask !== undefined && (
        <Confirm {...ask} go={go} leave={() => setIsAsking(false)} />
      )}
    </>
  );
}

interface ConfirmProps extends Question {
  readonly go: () => void;
  readonly leave: () => void;
}

/** The browser's own dialog keeps the focus within, closes on Escape, and gives the focus back. */
function Confirm({ title, text, yes, go, leave }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const { current } = dialog;
    current?.showModal();
    return () => current?.close();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={leave}>
      <h2 id="question">{title}</h2>
      <p>{text}</p>
      <div class="buttons">
        <button type="button" onClick={() => dialog.current?.close()}>
          Leave it
        </button>
        <button type="button" class="bad" onClick={go}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}

/** Beside each other; nothing at all for a key that may only read. */
export function Actions({ children }: { readonly children: ComponentChildren }) {
  return mayManage() ? <div class="buttons">{children}</div> : null;
}
