// One row of the table of settings.
import type { Kind } from "./kinds.ts";
import type { Machine } from "./machine.ts";

export interface Setting<T> {
  readonly name: string;
  readonly kind: Kind<T>;
  /** A value, or what follows from the machine. */
  readonly default: T | ((machine: Machine) => T);
  /** The default in words, where it depends on the machine. */
  readonly usually?: string;
  readonly help: string;
  /** Masked wherever it is shown, and may come from a file or a credential. */
  readonly secret?: boolean;
  /** In the file only: a table. */
  readonly table?: boolean;
}

export const setting = <T>(row: Setting<T>): Setting<T> => row;
