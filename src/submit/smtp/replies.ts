// The door's refusals in SMTP. What is our own trouble is never permanent to the client: it keeps the message and comes again.
import { last, said, type Said } from "../../smtp/server/said.ts";
import type { Problem } from "../problem.ts";

export function saidOf({ name, detail }: Problem): Said {
  switch (name) {
    case "draining":
      return last(421, "4.3.2", detail, name);
    case "queue_full":
    case "disk_low":
      return said(452, "4.3.1", detail, name);
    case "memory_low":
    case "busy":
      return said(451, "4.3.2", detail, name);
    case "rate_limit_exceeded":
    case "daily_quota_exceeded":
      return said(450, "4.7.1", detail, name);
    case "concurrent_idempotent_requests":
      return said(451, "4.5.0", detail, name);
    case "domain_not_allowed":
    case "restricted_api_key":
      return said(550, "5.7.1", detail, name);
    case "missing_api_key":
    case "invalid_api_key":
      return said(535, "5.7.8", detail, name);
    case "message_too_large":
      return said(552, "5.3.4", detail, name);
    case "internal_server_error":
    case "request_timeout":
      return said(451, "4.3.0", detail, name);
    default:
      return said(550, "5.6.0", detail, name);
  }
}
