// The settings of the SMTP listener.
import { type Endpoint, endpoint, orNull } from "./kinds.ts";
import { setting } from "./setting.ts";

export const smtpSettings = {
  smtpListen: setting<Endpoint | null>({
    name: "smtp_listen",
    kind: orNull(endpoint, "none"),
    default: null,
    usually: "off",
    help: "Address where programs hand in mail by SMTP, such as `127.0.0.1:2587`, with an API key as password. STARTTLS with `tls_cert`; a public address needs it",
  }),
  smtpTlsListen: setting<Endpoint | null>({
    name: "smtp_tls_listen",
    kind: orNull(endpoint, "none"),
    default: null,
    usually: "off",
    help: "The same with TLS from the first byte on, such as `0.0.0.0:465`; needs `tls_cert`",
  }),
} as const;

interface Given {
  readonly smtpListen?: Endpoint | null | undefined;
  readonly smtpTlsListen?: Endpoint | null | undefined;
  readonly tlsCert?: string | null | undefined;
}

/** Addresses at which no client could log in: for each its setting, and what is missing. */
export function smtpContradictions(
  { smtpListen, smtpTlsListen, tlsCert }: Given,
  isLoopback: (host: string) => boolean,
): readonly {
  readonly setting: keyof typeof smtpSettings;
  readonly found: string;
  readonly allowed: string;
}[] {
  if (typeof tlsCert === "string") return [];
  const faults: ReturnType<typeof smtpContradictions>[number][] = [];
  if (smtpListen != null && !isLoopback(smtpListen.host))
    faults.push({
      setting: "smtpListen",
      found: smtpListen.host,
      allowed: "a loopback address, or tls_cert and tls_key, since no key is taken in clear",
    });
  if (smtpTlsListen != null)
    faults.push({
      setting: "smtpTlsListen",
      found: endpoint.show(smtpTlsListen),
      allowed: "none without tls_cert and tls_key",
    });
  return faults;
}
