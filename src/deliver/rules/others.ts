// Providers with a code of their own. The source stands beside each.
import type { Provider } from "./rule.ts";

/** support.apple.com/102322 and smtp.codes/icloud. Its filter is Proofpoint's. */
export const apple: Provider = {
  hosts: [".icloud.com", ".apple.com"],
  marks: ["support.apple.com", "[cs01]", "[hm08]", "[pr01]"],
  rules: [
    { name: "apple.content", says: ["[cs01]", "[hm08]"], class: "spam", acts: ["alert"] },
    { name: "apple.reputation", says: ["[pr01]"], class: "policy", acts: ["alert"] },
    {
      name: "apple.unauthenticated",
      says: ["[hme1]", "dmarc"],
      class: "authentication",
      acts: ["alert"],
    },
  ],
};

/** Comcast's postmaster page, postmaster.comcast.net/smtp-error-codes.php. */
export const comcast: Provider = {
  hosts: [".comcast.net"],
  marks: ["postmaster.comcast.net"],
  rules: [
    {
      name: "comcast.rate",
      says: ["#rl00", "too many sessions opened"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    { name: "comcast.blocked", says: ["#bl0"], class: "policy", acts: ["alert"] },
    { name: "comcast.no_ptr", says: ["#dns0"], class: "authentication", acts: ["alert"] },
    { name: "comcast.unauthenticated", says: ["#dm0"], class: "authentication", acts: ["alert"] },
  ],
};

/** postmaster.gmx.net and postmaster.web.de, "error messages". */
export const unitedInternet: Provider = {
  hosts: [".gmx.net", ".web.de", ".kundenserver.de", ".mail.com", ".1and1.com", ".ionos.com"],
  marks: ["postmaster.gmx.", "postmaster.web.de", "postmaster.1and1", "postmaster.mail.com"],
  rules: [
    {
      name: "gmx.rate",
      digit: 4,
      says: ["too many connections", "mail server temporarily rejected", "ip=rate"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    {
      name: "gmx.blocked",
      says: ["black listed", "nemesis", "ip address is listed", "bad dns ptr"],
      class: "policy",
      acts: ["alert"],
    },
  ],
};

/** Orange's OFR codes, postmaster.orange.fr: 103, 104 and 109 are about connections and rate, 506 about reputation, 416 the mailbox. */
export const orange: Provider = {
  hosts: [".orange.fr", ".wanadoo.fr"],
  marks: ["ofr_", "ofr0"],
  rules: [
    {
      name: "orange.rate",
      says: ["ofr_103", "ofr_104", "ofr_109", "too many connections", "slow down"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    { name: "orange.blocked", says: ["ofr_506", "ofr_102"], class: "policy", acts: ["alert"] },
    { name: "orange.no_account", says: ["ofr_416"], class: "mailbox", acts: ["suppress"] },
    { name: "orange.full", says: ["ofr_417"], class: "full" },
    { name: "orange.content", says: ["ofr_101", "ofr_999"], class: "spam", acts: ["alert"] },
  ],
};

/** help.mail.ru/developers/mailing_rules/errors. */
export const mailru: Provider = {
  hosts: [".mail.ru"],
  marks: ["help.mail.ru", "notspam"],
  rules: [
    { name: "mailru.spam", says: ["spam message", "notspam"], class: "spam", acts: ["alert"] },
    {
      name: "mailru.rate",
      digit: 4,
      says: ["ratelimit"],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    { name: "mailru.no_ptr", says: ["no ptr"], class: "authentication", acts: ["alert"] },
  ],
};

/** QQ and NetEase: service.mail.qq.com/detail/124, help.163.com/09/1224/17/5RAJ4LMH00753VB8.html. */
export const china: Provider = {
  hosts: [".qq.com", ".netease.com", ".163.com", ".126.com"],
  marks: ["service.mail.qq.com", "mail.163.com/help", "mx.mail.163"],
  rules: [
    {
      name: "china.no_account",
      digit: 5,
      phases: ["rcpt"],
      says: ["mailbox unavailable or access denied"],
      class: "mailbox",
      acts: ["suppress"],
    },
    {
      name: "china.rate",
      says: [
        "frequency limited",
        "connection frequency",
        "mi:cel",
        "mi:dmc",
        "mi:ccl",
        "rate limit",
      ],
      class: "rate",
      scope: "site",
      acts: ["pause", "defer"],
    },
    {
      name: "china.spam",
      says: ["spam", "dt:spm", "mi:spb", "content rejected", "suspected"],
      class: "spam",
      acts: ["alert"],
    },
    {
      name: "china.unauthenticated",
      says: ["mi:spf", "dmarc", "mi:nhd"],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "china.no_account",
      digit: 5,
      says: [
        "mailbox unavailable or access denied",
        "invalid user",
        "user not found",
        "mailbox not found",
      ],
      class: "mailbox",
      acts: ["suppress"],
    },
  ],
};

/** Filters that stand before other people's mail: Proofpoint, Mimecast, Barracuda, Cisco, Cloudmark, Trend Micro (smtp.codes/550). */
export const filters: Provider = {
  hosts: [
    ".pphosted.com",
    ".ppe-hosted.com",
    ".mimecast.com",
    ".barracudanetworks.com",
    ".iphmx.com",
    ".messagelabs.com",
    ".emailsrvr.com",
    ".secureserver.net",
  ],
  marks: ["mimecast", "proofpoint", "barracuda", "cloudmark", "messagelabs", "secureserver.net"],
  rules: [
    {
      name: "filter.blocked",
      says: [
        "poor reputation sender",
        "poor reputation",
        "csi.cloudmark.com",
        "ipcheck.proofpoint.com",
        "support.proofpoint.com/dnsbl-lookup",
        "barracudacentral.org",
        "your access to this mail system has been rejected",
        "your access to submit messages",
        "ib105",
        "ib113",
        "ib212",
      ],
      class: "policy",
      acts: ["alert"],
    },
    // Mimecast and Rackspace greylist without the word.
    {
      name: "filter.greylist",
      digit: 4,
      says: [
        "internal resource temporarily unavailable",
        "internal resources are temporarily unavailable",
      ],
      class: "greylist",
    },
    {
      name: "filter.rate",
      digit: 4,
      says: [
        "too many concurrent",
        "too many sessions",
        "ib007",
        "received too many messages from",
      ],
      class: "rate",
      scope: "site",
      acts: ["pause"],
    },
    {
      name: "filter.unauthenticated",
      says: [
        "spf check failed",
        "dkim check failed",
        "ib108",
        "anti-spoofing policy",
        "header based anti",
      ],
      class: "authentication",
      acts: ["alert"],
    },
    {
      name: "filter.spam",
      says: ["rejected by header", "message rejected due to content", "ib603", "ib604", "ib510"],
      class: "spam",
      acts: ["alert"],
    },
  ],
};
