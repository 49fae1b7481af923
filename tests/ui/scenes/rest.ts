// What else the dashboard shows: suppressions, webhooks with their deliveries, a domain with its records, captured mail.
import type { DomainView } from "../../../src/mail/domain.ts";
import type { InboxItem, InboxView } from "../../../src/mail/query.ts";
import type { SuppressionView } from "../../../src/mail/suppression.ts";
import type { HookAttemptView, HookEventView } from "../../../src/mail/webhook.ts";
import { at } from "./instants.ts";
import { DONE, MESSAGE } from "./messages.ts";

export const suppressions: readonly SuppressionView[] = [
  {
    ...{ object: "suppression", id: "019ab0aa-0000-7a4b-8d22-5e0f9a1c3b7d" },
    ...{ email: "gone@example.org", origin: "bounce", source_id: DONE, created_at: at(86_400) },
    reason: "550 5.1.1 User unknown",
  },
  {
    ...{ object: "suppression", id: "019ab0aa-0001-7a4b-8d22-5e0f9a1c3b7d" },
    ...{ email: "angry@example.net", origin: "complaint", source_id: null, created_at: at(9e4) },
    reason: null,
  },
];

export const HOOK = "019ab0bb-0000-7a4b-8d22-5e0f9a1c3b7d";
export const HOOK_EVENT = "evt_8123_0f0f0f0f0f0f0f0f";

export const webhooks = [
  {
    ...{ object: "webhook", id: HOOK, endpoint: "https://shop.example/hooks/mail", events: null },
    ...{ status: "enabled", created_at: at(9e6), failing_since: at(1900), disabled_reason: null },
    ...{ pending_events: 381 },
  },
  {
    ...{ object: "webhook", id: HOOK.replace("0000", "0001"), status: "disabled" },
    ...{ endpoint: "https://old.shop.example/in", events: ["email.bounced", "email.complained"] },
    ...{ created_at: at(9e6), failing_since: null, disabled_reason: "it answered 410 Gone" },
    ...{ pending_events: 0 },
  },
];

export const hookEvents: readonly HookEventView[] = [
  {
    ...{ id: HOOK_EVENT, type: "email.bounced", email_id: DONE, created_at: at(30) },
    ...{ status: "pending", attempts: 2, next_attempt_at: at(-90) },
  },
  {
    ...{ id: "evt_8122_0f0f0f0f0f0f0f0f", type: "email.delivered", email_id: MESSAGE },
    ...{ created_at: at(60), status: "success", attempts: 1, next_attempt_at: null },
  },
];

export const hookAttempts: readonly HookAttemptView[] = [
  {
    ...{ id: "a_2", http_status_code: 503, response: "<h1>Service Unavailable</h1>" },
    ...{ sent_at: at(30), duration_ms: 812 },
  },
  {
    ...{ id: "a_1", http_status_code: 0, response: "no answer within 15 s" },
    ...{ sent_at: at(120), duration_ms: 15_000 },
  },
];

export const domain: DomainView = {
  ...{ object: "domain", id: "dom_1", name: "shop.example", status: "failed" },
  created_at: at(9e6),
  keys: [
    { selector: "pr202611", algorithm: "rsa-sha256", bits: 2048, origin: "made" },
    { selector: "pr202611e", algorithm: "ed25519-sha256", bits: 256, origin: "made" },
  ],
  records: [
    {
      ...{ record: "DKIM", name: "pr202611._domainkey.shop.example", type: "TXT", ttl: 3600 },
      value: `v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA${"q7Xk".repeat(80)}`,
      ...{ status: "verified", detail: "" },
    },
    {
      ...{ record: "SPF", name: "shop.example", type: "TXT", ttl: 3600 },
      ...{ value: "v=spf1 ip4:198.51.100.7 -all", status: "failed" },
      detail: "There is v=spf1 -all: it lets nobody send. Add ip4:198.51.100.7.",
    },
    {
      ...{ record: "DMARC", name: "_dmarc.shop.example", type: "TXT", ttl: 3600 },
      ...{ value: "v=DMARC1; p=none", status: "not_started", detail: "" },
    },
  ],
};

export const INBOX = "019ab0cc-0000-7a4b-8d22-5e0f9a1c3b7d";

export const captured: InboxItem = {
  ...{ object: "inbox_message", id: INBOX, received_at: at(45), subject: "Welcome" },
  envelope: { from: "orders@shop.example", to: ["delivered@postrider.test"] },
  ...{ message_id: "<w@shop.example>", from: "Example Shop <orders@shop.example>" },
  ...{ to: ["delivered@postrider.test"], size_bytes: 5120 },
};

export const capturedView: InboxView = {
  ...captured,
  ...{ cc: [], reply_to: [], headers: [], text: "Welcome to the shop.", header_only: false },
  html: `<p>Welcome</p><script>document.title = "taken"</script>`,
  attachments: [
    {
      ...{ filename: "terms.pdf", content_type: "application/pdf", content_id: null },
      ...{ disposition: "attachment", size_bytes: 48_210 },
    },
  ],
};
