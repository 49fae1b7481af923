// The settings about the encryption of mail on its way to other servers.
import {
  type DomainSettings,
  type TlsPolicySetting,
  domainSettings,
  tlsPolicies,
} from "./domains.ts";
import { choice, flag, integer, orNull, text } from "./kinds.ts";
import { setting } from "./setting.ts";

export const tlsSettings = {
  tlsPolicy: setting<TlsPolicySetting>({
    name: "tls_policy",
    kind: choice(tlsPolicies),
    default: "opportunistic",
    help: "`opportunistic`: encrypt if offered; `required`: encrypt or defer; `verify`: valid certificate or defer; `off`",
  }),
  mtaSts: setting({
    name: "mta_sts",
    kind: flag,
    default: true,
    help: "Obey the MTA-STS policies (RFC 8461) of recipient domains",
  }),
  dane: setting<"auto" | "on" | "off">({
    name: "dane",
    kind: choice(["auto", "on", "off"]),
    default: "auto",
    help: "Obey TLSA records (RFC 7672). `auto`: where a resolver on this host validates; `on`: believe every one of `dns_servers`; `off`",
  }),
  tlsCaFile: setting<string | null>({
    name: "tls_ca_file",
    kind: orNull(text("a path", /^[^\0]+$/), "none"),
    default: null,
    usually: "none",
    help: "Certificates (PEM) of authorities of your own, believed besides the public ones",
  }),
  mtaStsPort: setting({
    name: "mta_sts_port",
    kind: integer({ min: 1, max: 65_535 }),
    default: 443,
    help: "Port of MTA-STS policy servers; another one only makes sense in a laboratory",
  }),
  domains: setting<DomainSettings>({
    name: "domains",
    kind: domainSettings,
    default: {},
    usually: "none",
    help: '`[domains."example.com"]`: `tls_policy`, `mta_sts` and `dane` for the mail of one domain',
    table: true,
  }),
} as const;
