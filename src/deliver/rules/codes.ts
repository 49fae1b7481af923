// What codes alone say, when the words said nothing: the enhanced code first (IANA, "SMTP Enhanced Status Codes"; RFC 3463, 7293, 7372,
// 7504, 7505), then the reply code (RFC 5321 4.2).
import type { Rule } from "./rule.ts";

/** By enhanced code. */
export const numbered: readonly Rule[] = [
  // Bad mailbox, system, syntax, ambiguous, moved; a null MX; the address is no more.
  {
    name: "status.mailbox",
    digit: 5,
    status: ["1.1", "1.2", "1.3", "1.4", "1.6", "1.10"],
    class: "mailbox",
    acts: ["suppress"],
  },
  // X.1.7 and X.1.8 are about the sender's address, which is ours to mend; X.1.0 may be either's.
  { name: "status.sender", status: ["1.7", "1.8"], class: "policy", acts: ["alert"] },
  {
    name: "status.mailbox",
    status: ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.9", "1.10"],
    class: "mailbox",
  },
  {
    name: "status.disabled",
    digit: 5,
    status: ["2.1"],
    phases: ["rcpt"],
    class: "mailbox",
    acts: ["suppress"],
  },
  { name: "status.full", status: ["2.2"], class: "full" },
  { name: "status.size", status: ["2.3", "3.4"], class: "size" },
  { name: "status.mailbox", status: ["2.0", "2.1", "2.4"], class: "mailbox" },
  {
    name: "status.network",
    status: ["4.0", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7"],
    class: "network",
  },
  { name: "status.many", status: ["5.3"], digit: 4, class: "rate" },
  {
    name: "status.protocol",
    status: ["5.1", "5.2", "5.4", "5.5", "5.6"],
    class: "protocol",
  },
  {
    name: "status.content",
    status: ["6.0", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7", "6.8", "6.9", "6.10"],
    class: "protocol",
  },
  // RFC 7372: X.7.20 to X.7.26 are DKIM, SPF and reverse DNS; X.7.27 to X.7.29 and beyond what large providers made of it.
  {
    name: "status.unauthenticated",
    status: [
      "7.20",
      "7.21",
      "7.22",
      "7.23",
      "7.24",
      "7.25",
      "7.26",
      "7.27",
      "7.29",
      "7.30",
      "7.31",
      "7.32",
      "7.40",
    ],
    class: "authentication",
    acts: ["alert"],
  },
  { name: "status.rate", digit: 4, status: ["7.28"], class: "rate" },
  { name: "status.rate", digit: 5, status: ["7.28"], class: "spam", acts: ["alert"] },
  // RRVS (RFC 7293): the mailbox or domain has another owner now.
  {
    name: "status.owner",
    digit: 5,
    status: ["7.17", "7.18"],
    class: "mailbox",
    acts: ["suppress"],
  },
  // It came in clear: no word about the recipient, and the next connection may be encrypted.
  { name: "status.tls", status: ["7.10", "7.11"], class: "tls", acts: ["defer", "alert"] },
];

/** A 550 says all and nothing; Exim gives it to every refusal of its own rules, and some providers to every refusal. */
const REFUSALS: Rule["codes"] = [550, 551, 553, 554];

/** By reply code, when there was nothing else but words that are too common to count beside a better code. */
export const coded: readonly Rule[] = [
  {
    name: "code.mailbox",
    codes: [553],
    phases: ["rcpt"],
    says: ["mailbox name not allowed"],
    class: "mailbox",
    acts: ["suppress"],
  },
  {
    name: "code.tls",
    codes: REFUSALS,
    says: [
      "tls required",
      "requires tls",
      "must use tls",
      "tls is required",
      "encryption required",
    ],
    class: "tls",
    acts: ["defer", "alert"],
  },
  {
    name: "code.policy",
    codes: REFUSALS,
    says: [
      "administrative prohibition",
      "prohibited",
      "policy",
      "denied",
      "refused",
      "forbidden",
      "banned",
      "blocked",
      "not authorized",
      "not authorised",
      "unauthorized",
      "not allowed",
      "not permitted",
      "not accept",
      "don't accept",
      "message rejected",
      "mail rejected",
      "rejected by",
      "rejected due",
      "rejected because",
      "helo",
      "ehlo",
      "callback",
      "callout",
      "verification failed",
      "verify failed",
      "authentication",
      "smtp auth",
      "your ip",
      "ip address",
      "is listed",
      "client host",
      "dynamic",
      "dns lookup",
      "resource record",
      "must resolve",
      "not resolve",
    ],
    class: "policy",
    acts: ["alert"],
  },
  {
    name: "code.limit",
    codes: REFUSALS,
    says: ["too many", "exceeded", "limit"],
    class: "rate",
    acts: ["alert"],
  },
  {
    name: "code.server",
    codes: REFUSALS,
    says: ["service unavailable", "system error", "internal error", "server error"],
    class: "other",
  },
  // RFC 5321 4.2.3's own words; who puts others beside them has been read above.
  {
    name: "code.mailbox",
    codes: [550, 551, 553],
    phases: ["rcpt"],
    says: ["mailbox unavailable", "user not local", "invalid address"],
    class: "mailbox",
    acts: ["suppress"],
  },
  // RFC 7504: the domain takes no mail, or the host takes none.
  { name: "code.no_mail", codes: [556], phases: ["rcpt"], class: "mailbox", acts: ["suppress"] },
  { name: "code.full", codes: [552], phases: ["rcpt"], class: "full" },
  { name: "code.size", codes: [552], class: "size" },
  // Words that nobody here knows: it may be about us, so the address is tried again when there is mail for it.
  { name: "code.mailbox", codes: [550, 551, 553], phases: ["rcpt"], class: "mailbox" },
  { name: "code.tls", codes: [454], phases: ["starttls"], class: "tls" },
  { name: "code.mailbox", codes: [450], phases: ["rcpt"], class: "mailbox" },
  { name: "code.protocol", codes: [500, 501, 502, 503, 504, 555], class: "protocol" },
];
