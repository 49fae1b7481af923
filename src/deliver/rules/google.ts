// Gmail and Google Workspace. Source of the rows, where no other is named: "Gmail SMTP errors and codes",
// support.google.com/a/answer/3726730, and the sender guidelines' FAQ, support.google.com/a/answer/14229414.
import type { Provider } from "./rule.ts";

export const google: Provider = {
  hosts: [".google.com", ".googlemail.com"],
  marks: ["gsmtp", "support.google.com/mail"],
  rules: [
    // 421 and 450 4.7.28: an unusual rate of unsolicited mail, from the address, the SPF or the DKIM domain.
    {
      name: "google.rate",
      digit: 4,
      status: ["7.28"],
      class: "rate",
      scope: "site",
      acts: ["pause", "alert"],
    },
    // The same before 4.7.28 was introduced in November 2023.
    {
      name: "google.rate",
      digit: 4,
      status: ["7.0"],
      says: ["unusual rate of unsolicited mail", "try again later, closing connection"],
      class: "rate",
      scope: "site",
      acts: ["pause", "alert"],
    },
    { name: "google.rate", digit: 5, status: ["7.28"], class: "spam", acts: ["pause", "alert"] },
    {
      name: "google.rate",
      digit: 5,
      says: ["unusual rate of unsolicited mail"],
      class: "spam",
      acts: ["pause", "alert"],
    },
    // The one mailbox gets too much, from all senders together: nobody else is concerned.
    {
      name: "google.mailbox_rate",
      status: ["2.1"],
      says: [
        "receiving mail too quickly",
        "receiving email too quickly",
        "at a rate that prevents",
      ],
      class: "rate",
    },
    {
      name: "google.relay_limit",
      says: ["smtp relay limit exceeded", "daily smtp relay"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    // 5.7.25 no PTR, 5.7.26 neither SPF nor DKIM, 5.7.27 SPF, 5.7.29 no TLS, 5.7.30 DKIM, 5.7.31 and 5.7.40 DMARC, 5.7.32 alignment;
    // 4.7.x of the same first (dmarcpal.com/learn/gmail-bulk-sender-error-codes-explained); 4.7.23 PTR in the older table.
    {
      name: "google.unauthenticated",
      status: ["7.23", "7.24", "7.25", "7.26", "7.27", "7.29", "7.30", "7.31", "7.32", "7.40"],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "google.unauthenticated",
      says: [
        "unauthenticated email",
        "not authenticated",
        "ipv6 sending guidelines",
        "domain's dmarc policy",
        "does not have a ptr record",
      ],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "google.tls_required",
      says: ["tls required for rcpt domain", "requires a secure transport connection"],
      class: "tls",
      scope: "recipient",
      acts: ["defer"],
    },
    {
      name: "google.not_invited",
      digit: 4,
      says: ["ip not in whitelist"],
      class: "policy",
      scope: "recipient",
      acts: ["alert"],
    },
    { name: "google.not_invited", says: ["ip not in whitelist"], class: "policy", acts: ["alert"] },
    {
      name: "google.reputation",
      says: [
        "very low reputation",
        "likely unsolicited mail",
        "likely suspicious",
        "message is suspicious",
      ],
      class: "spam",
      acts: ["alert"],
    },
    // 552 5.7.0: an attachment of a forbidden kind.
    {
      name: "google.content",
      status: ["7.0"],
      says: ["security issue", "virus", "illegal attachment"],
      class: "policy",
    },
    { name: "google.format", says: ["not rfc 5322", "not compliant with rfc"], class: "protocol" },
    // 550 5.2.1 is a disabled account, 552 5.2.2 and 452 4.2.2 one that is full.
    {
      name: "google.disabled",
      digit: 5,
      status: ["2.1"],
      says: ["disabled", "inactive", "does not accept mail"],
      class: "mailbox",
      acts: ["suppress"],
    },
    // A rule of the recipient's own administrator.
    { name: "google.domain_policy", says: ["gcdp"], class: "policy" },
  ],
};
