// The settings about who may ask, how often, and over what.
import { cidr, duration, integer, list, orNull, text } from "./kinds.ts";
import { setting } from "./setting.ts";
import { type Rate, rateOrUnlimited } from "./sites.ts";

const RANGES_MAX = 1000;

export const doorSettings = {
  tlsCert: setting<string | null>({
    name: "tls_cert",
    kind: orNull(text("a path", /^[^\0]+$/), "none"),
    default: null,
    usually: "none",
    help: "Certificate chain (PEM) with which `listen` speaks HTTPS; needs `tls_key`. A reload reads both anew",
  }),
  tlsKey: setting<string | null>({
    name: "tls_key",
    kind: orNull(text("a path", /^[^\0]+$/), "none"),
    default: null,
    usually: "none",
    help: "Its private key (PEM)",
  }),
  trustedProxies: setting<readonly string[]>({
    name: "trusted_proxies",
    kind: list(cidr, RANGES_MAX),
    default: [],
    help: "Address ranges of proxies whose `Forwarded` or `X-Forwarded-For` is believed, from the right to the left",
  }),
  allowClients: setting<readonly string[] | null>({
    name: "allow_clients",
    kind: orNull(list(cidr, RANGES_MAX), "all"),
    default: null,
    help: "Address ranges whose requests are heard",
  }),
  denyClients: setting<readonly string[]>({
    name: "deny_clients",
    kind: list(cidr, RANGES_MAX),
    default: [],
    help: "Address ranges whose requests are refused, whatever `allow_clients` says",
  }),
  keyRate: setting<Rate | null>({
    name: "key_rate",
    kind: rateOrUnlimited,
    default: null,
    help: "Requests of each API key that has no rate of its own; a batch counts as its messages",
  }),
  keyBurst: setting({
    name: "key_burst",
    kind: integer({ min: 1, max: 1_000_000 }),
    default: 100,
    help: "Requests that a key may make at once before `key_rate` holds it back",
  }),
  admissionWaitMs: setting({
    name: "admission_wait",
    kind: duration({ min: 0, max: 10_000 }),
    default: 100,
    help: "How long a request may wait for its turn before it is answered 429",
  }),
} as const;
