// A sender domain as the API shows it: the keys that sign for it, the DNS records that make others believe it, and what of them was
// found. What can be done to domains is here too, since the door asks for it and another room does it.

/** Resend's words. `temporary_failure`: the DNS gave no answer, which says nothing. */
export type RecordStatus = "not_started" | "verified" | "failed" | "temporary_failure";

export interface DomainRecord {
  readonly record: "DKIM" | "SPF" | "DMARC" | "EHLO" | "PTR";
  /** Full, without the final dot. */
  readonly name: string;
  readonly type: "TXT" | "A" | "AAAA" | "PTR";
  readonly ttl: number;
  readonly value: string;
  readonly status: RecordStatus;
  /** What is there instead, and what to do; empty when there is nothing to say. */
  readonly detail: string;
}

export interface DomainKey {
  readonly selector: string;
  readonly algorithm: "rsa-sha256" | "ed25519-sha256";
  readonly bits: number;
  /** `made` here, or named by the `settings`. */
  readonly origin: "made" | "settings";
}

export interface DomainView {
  readonly object: "domain";
  readonly id: string;
  readonly name: string;
  readonly status: RecordStatus;
  readonly created_at: string;
  readonly keys: readonly DomainKey[];
  readonly records: readonly DomainRecord[];
}

export type DomainAnswer =
  | { readonly kind: "domain"; readonly view: DomainView }
  | { readonly kind: "invalid"; readonly field: string; readonly detail: string }
  | { readonly kind: "conflict"; readonly detail: string }
  | { readonly kind: "missing" }
  /** The disk failed: nothing was changed. */
  | { readonly kind: "failed"; readonly detail: string };

/** `id` is a domain's id or its name. */
export interface Domains {
  list(): readonly DomainView[];
  get(id: string): DomainAnswer;
  /** Resolves once the keys are on the disk and every sender signs with them. */
  add(name: string, selector: string | null): Promise<DomainAnswer>;
  remove(id: string): Promise<DomainAnswer>;
  /** Asks the DNS anew. */
  verify(id: string): Promise<DomainAnswer>;
}
