// What stands where there is nothing to show yet, nothing at all, or nothing because it failed.
import type { ComponentChildren } from "preact";
import { unreachable } from "../../base/unreachable.ts";
import type { Loaded } from "../load.ts";
import type { Fault } from "../problem.ts";

export function FaultText({ fault }: { readonly fault: Fault }) {
  const { detail, fields, retryAfterS, requestId } = fault;
  return (
    <>
      <p>{detail}</p>
      {fields.length > 1 && (
        <ul>
          {fields.map((one) => (
            <li key={one.pointer + one.detail}>
              <code>{one.pointer}</code> {one.detail}
            </li>
          ))}
        </ul>
      )}
      {retryAfterS !== null && <p class="dim">Worth trying again in {retryAfterS} s.</p>}
      {requestId !== "" && (
        <p class="dim">
          In the log as <code>{requestId}</code>.
        </p>
      )}
    </>
  );
}

interface FaultBoxProps {
  readonly what: string;
  readonly fault: Fault;
  readonly again?: () => Promise<void>;
}

export function FaultBox({ what, fault, again }: FaultBoxProps) {
  return (
    <div class="box bad" role="alert">
      <p>
        <strong>{what}</strong> {fault.title}.
      </p>
      <FaultText fault={fault} />
      {again !== undefined && (
        <button type="button" onClick={() => void again()}>
          Try again
        </button>
      )}
    </div>
  );
}

interface ShowProps<T> {
  readonly loaded: Loaded<T>;
  readonly again: () => Promise<void>;
  /** What it is, as in "The sites could not be loaded". */
  readonly what: string;
  readonly children: (value: T) => ComponentChildren;
}

export function Show<T>({ loaded, again, what, children }: ShowProps<T>) {
  switch (loaded.at) {
    case "loading":
      return (
        <p class="loading" role="status">
          Loading {what}…
        </p>
      );
    case "failed":
      return <FaultBox what={`Not loaded: ${what}.`} fault={loaded.fault} again={again} />;
    case "ready":
      return (
        <>
          {loaded.fault !== null && (
            <FaultBox what="What stands below is not fresh." fault={loaded.fault} again={again} />
          )}
          {children(loaded.value)}
        </>
      );
    default:
      return unreachable(loaded);
  }
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
