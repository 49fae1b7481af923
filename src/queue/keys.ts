// The book of API keys: few rows, changed by an operator, in the database that is already synced and backed up. The door has a copy.
import type { KeyRecord, KeyTerms, KeyUse, NewKey } from "../mail/apiKey.ts";
import type { MessageId } from "../mail/id.ts";

export interface KeyStore {
  /** In the order of their numbers. */
  keys(): readonly KeyRecord[];
  /** Whose message it is; 0: the first key's, or it is not there. */
  keyOf(message: MessageId): number;

  // Inside a transaction:
  /** Its number, which no key had before. */
  addKey(key: NewKey): number;
  changeKey(number: number, terms: KeyTerms): void;
  removeKey(number: number): void;
  /** Keys that are gone are passed over. */
  useKeys(uses: readonly KeyUse[]): void;
}
