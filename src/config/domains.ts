// The table `[domains."example.com"]`: what is asked of the mail of one recipient domain, where it differs from what is asked of all.
import type { Kind } from "./kinds.ts";

export type TlsPolicySetting = "opportunistic" | "required" | "verify" | "off";

export const tlsPolicies: readonly TlsPolicySetting[] = [
  "opportunistic",
  "required",
  "verify",
  "off",
];

/** Absent keys are as for all domains. */
export interface DomainSetting {
  readonly tlsPolicy?: TlsPolicySetting;
  readonly mtaSts?: boolean;
  readonly dane?: boolean;
}

/** By the domain in lower case. */
export type DomainSettings = Readonly<Record<string, DomainSetting>>;

const DOMAINS_MAX = 10_000;
const LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})+$`, "i");
const KEYS = ["tls_policy", "mta_sts", "dane"];

const isTable = (raw: unknown): raw is Readonly<Record<string, unknown>> =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw);

export const domainSettings: Kind<DomainSettings> = {
  allowed:
    `up to ${DOMAINS_MAX} tables [domains."example.com"] (ASCII), each with any of the keys ` +
    `tls_policy (${tlsPolicies.join(", ")}), mta_sts and dane (true or false)`,
  parse(raw) {
    if (!isTable(raw) || Object.keys(raw).length > DOMAINS_MAX) return undefined;
    const read: Record<string, DomainSetting> = {};
    for (const [domain, table] of Object.entries(raw)) {
      const setting = DOMAIN.test(domain) ? settingOf(table) : undefined;
      if (setting === undefined) return undefined;
      read[domain.toLowerCase()] = setting;
    }
    return read;
  },
  show(settings) {
    const lines = Object.entries(settings).map(([domain, { tlsPolicy, mtaSts, dane }]) => {
      const parts = [
        tlsPolicy === undefined ? [] : `tls_policy ${tlsPolicy}`,
        mtaSts === undefined ? [] : `mta_sts ${mtaSts}`,
        dane === undefined ? [] : `dane ${dane}`,
      ].flat();
      return `${domain}: ${parts.join(", ")}`;
    });
    return lines.length === 0 ? "none" : lines.join("; ");
  },
};

function settingOf(raw: unknown): DomainSetting | undefined {
  if (!isTable(raw) || Object.keys(raw).some((key) => !KEYS.includes(key))) return undefined;
  const { tls_policy: tls, mta_sts: mtaSts, dane } = raw;
  const tlsPolicy = tlsPolicies.find((one) => one === tls);
  if (tls !== undefined && tlsPolicy === undefined) return undefined;
  if (mtaSts !== undefined && typeof mtaSts !== "boolean") return undefined;
  if (dane !== undefined && typeof dane !== "boolean") return undefined;
  return {
    ...(tlsPolicy === undefined ? {} : { tlsPolicy }),
    ...(mtaSts === undefined ? {} : { mtaSts }),
    ...(dane === undefined ? {} : { dane }),
  };
}
