// Yahoo and AOL. Source of the rows, where no other is named: senders.yahooinc.com/smtp-error-codes.
import type { Provider } from "./rule.ts";

export const yahoo: Provider = {
  hosts: [".yahoodns.net", ".yahoo.com", ".aol.com"],
  marks: ["yahooinc.com", "postmaster.yahoo", "help.yahoo.com/kb", "postmaster.aol.com"],
  rules: [
    // 421 4.7.0 [TSS04], [TSS05], [TS01] to [TS03]: unexpected volume or user complaints; to be left alone for hours.
    {
      name: "yahoo.deferred",
      digit: 4,
      says: ["[tss", "[ts0", "[ipts", "temporarily deferred", "resources temporarily unavailable"],
      class: "rate",
      scope: "site",
      acts: ["pause", "alert"],
    },
    // [TSS09], [TSS11]: "permanently deferred", and said with 421 all the same.
    {
      name: "yahoo.deferred_for_good",
      digit: 4,
      says: ["permanently deferred"],
      class: "spam",
      scope: "site",
      acts: ["pause", "alert"],
    },
    { name: "yahoo.connections", says: ["too many connections"], class: "rate", scope: "site" },
    // 553 5.7.1 [BL21], [BL23]: the address is in Spamhaus's lists.
    {
      name: "yahoo.blocked",
      says: ["[bl2", "[bl1", "[tss07]", "connections will not be accepted from"],
      class: "policy",
      acts: ["alert"],
    },
    // 554 5.7.9: DMARC; 554 5.7.5 (AU01): the DKIM signature.
    {
      name: "yahoo.unauthenticated",
      digit: 5,
      status: ["7.9", "7.5"],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "yahoo.unauthenticated",
      says: ["for policy reasons: dmarc", "(au01)", "not accepted for policy reasons"],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "yahoo.no_account",
      digit: 5,
      says: [
        "this user doesn't have a",
        "dd this user",
        "dd requested mail action",
        "no such user",
      ],
      class: "mailbox",
      acts: ["suppress"],
    },
    // [PH01] and [HM08]-like marks: what the message links to.
    { name: "yahoo.content", says: ["[ph01]", "message content"], class: "spam", acts: ["alert"] },
  ],
};
