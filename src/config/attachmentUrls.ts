// Where attachments may be fetched from that a request names by URL.
import type { Kind } from "./kinds.ts";
import { setting } from "./setting.ts";

/** Hosts, `*.example.com` for all below a domain. */
type AttachmentUrls = "off" | "on" | readonly string[];

const HOSTS_MAX = 1000;
const host =
  /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const urls: Kind<AttachmentUrls> = {
  allowed: `off, on, or up to ${HOSTS_MAX} hosts such as cdn.example.com or *.example.com`,
  parse(raw) {
    if (raw === "off" || raw === "on") return raw;
    if (typeof raw !== "string" && !Array.isArray(raw)) return undefined;
    const parts: unknown[] = Array.isArray(raw) ? raw : raw.split(",");
    const hosts = parts.map((part) => (typeof part === "string" ? part.trim().toLowerCase() : ""));
    return hosts.length > 0 && hosts.length <= HOSTS_MAX && hosts.every((one) => host.test(one))
      ? hosts
      : undefined;
  },
  show: (value) => (typeof value === "string" ? value : value.join(", ")),
};

export const attachmentSettings = {
  attachmentUrls: setting<AttachmentUrls>({
    name: "attachment_urls",
    kind: urls,
    default: "off",
    help: "Whether attachments may be named by `path`, a URL that is fetched: from nowhere, from every public address, or from these hosts (`*.example.com` for all below a domain)",
  }),
} as const;
