// Whom we believe when a certificate is shown: the authorities that the runtime ships, and those of `tls_ca_file`. One context for all
// connections of a thread, since reading a hundred certificates takes two milliseconds.
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";

export interface Trust {
  /** Another object after the authorities have changed. */
  context(): SecureContext;
  /** Certificates in PEM that are believed besides the shipped ones. */
  configure(own: readonly string[]): void;
}

/** RFC 9325 3.1.1; older versions are broken. */
const TLS_LEAST = "TLSv1.2";

export function createTrust(atStart: readonly string[] = []): Trust {
  let own = atStart;
  let made: SecureContext | undefined;
  return {
    context: () =>
      (made ??= createSecureContext({
        ca: [...rootCertificates, ...own],
        minVersion: TLS_LEAST,
      })),
    configure(next) {
      if (next.length === own.length && next.every((pem, i) => pem === own[i])) return;
      own = next;
      made = undefined;
    },
  };
}
