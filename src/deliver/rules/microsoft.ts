// Outlook.com and Exchange Online. Source of the rows, where no other is named: "Email non-delivery reports and SMTP errors in
// Exchange Online", learn.microsoft.com/exchange/troubleshoot/email-delivery/ndr, and postmaster.live.com/pm/troubleshooting.aspx.
import type { Provider } from "./rule.ts";

export const microsoft: Provider = {
  hosts: [".outlook.com", ".hotmail.com", ".mx.microsoft", ".office365.us", ".outlook.cn"],
  marks: [
    "protection.outlook.com",
    "prod.outlook.com",
    "postmaster.live.com",
    "mail.live.com/mail/troubleshooting",
    "aka.ms/postmaster",
  ],
  rules: [
    // 451 4.7.650 to 4.7.652: "temporarily rate limited due to IP reputation" (S775, S3114, S4115).
    {
      name: "microsoft.reputation_rate",
      status: ["7.650", "7.651", "7.652"],
      class: "rate",
      scope: "site",
      acts: ["pause", "alert"],
    },
    // 451 4.7.500 to 4.7.599 "Server busy. Please try again later" and 4.7.6xx: throttling by what was sent lately.
    {
      name: "microsoft.busy",
      digit: 4,
      status: ["7.500", "7.501", "7.502", "7.580", "7.600"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    {
      name: "microsoft.busy",
      digit: 4,
      says: ["server busy. please try again later", "rp-001", "rp-002", "rp-003"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    {
      name: "microsoft.connections",
      digit: 4,
      says: ["maximum number of concurrent connections", "too many concurrent connections"],
      class: "rate",
      scope: "site",
    },
    // 432 4.3.2: one mailbox is given too much at once.
    {
      name: "microsoft.mailbox_rate",
      says: ["recipient thread limit exceeded", "message submission rate"],
      class: "rate",
    },
    // Since 2025-05-05: SPF, DKIM or DMARC fails for who sends 5,000 a day (techcommunity.microsoft.com, "Outlook's new requirements").
    {
      name: "microsoft.unauthenticated",
      status: ["7.515", "7.509", "7.512", "7.23", "7.26", "7.1.26"],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "microsoft.unauthenticated",
      says: [
        "does not meet the required authentication level",
        "does not pass dmarc verification",
        "must pass spf",
      ],
      class: "authentication",
      acts: ["alert"],
    },
    // S3140 and S3150: our network is on its list; 5.7.511 and 5.7.606 to 5.7.649: our address is banned until it is delisted.
    {
      name: "microsoft.blocked",
      says: [
        "on our block list",
        "banned sending ip",
        "banned sender",
        "(s3140)",
        "(s3150)",
        "ou-001",
        "ou-002",
        "sc-001",
        "sc-002",
        "sc-004",
        "dy-001",
        "dy-002",
      ],
      class: "policy",
      acts: ["alert", "pause"],
    },
    { name: "microsoft.blocked", status: ["7.511", "7.708"], class: "policy", acts: ["alert"] },
    // Directory-based edge blocking: the tenant has no such recipient ("Access denied" is all that it says).
    {
      name: "microsoft.no_recipient",
      digit: 5,
      status: ["4.1"],
      says: ["recipient address rejected: access denied"],
      class: "mailbox",
      acts: ["suppress"],
    },
    {
      name: "microsoft.no_recipient",
      digit: 5,
      status: ["1.10", "1.1"],
      class: "mailbox",
      acts: ["suppress"],
    },
    {
      name: "microsoft.unavailable",
      digit: 5,
      codes: [550],
      says: ["requested action not taken: mailbox unavailable"],
      class: "mailbox",
      acts: ["suppress"],
    },
    // The recipient's organisation lets only its own people, or only listed ones, write to this address.
    {
      name: "microsoft.restricted",
      status: ["7.124", "7.129", "7.133", "7.134", "7.135", "7.136", "7.193"],
      class: "policy",
    },
    { name: "microsoft.content", status: ["7.508", "7.520"], class: "spam", acts: ["alert"] },
  ],
};
