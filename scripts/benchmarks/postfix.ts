// Postfix as a contender: smtp-source -> smtpd -> queue -> smtp -> the same receiver, tuned as far
// as we know how, on the same file system. It syncs every queue file before it answers, and needs
// no switch for that.
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { startPostfix, type Postfix } from "../../tests/fixtures/postfix.ts";
import { untilTaken, type Contender } from "./contender.ts";
import { threadsOf, treeCpuUs } from "./proc.ts";
import type { Receiver } from "./receiver.ts";

export interface PostfixContenderOptions {
  readonly folder: string;
  readonly receiver: Receiver;
  readonly sites: number;
  readonly clients: number;
  readonly bodyBytes: number;
}

/** Deliveries at once; more made it slower on two cores. */
const CONCURRENCY = 40;

/**
 * smtp-source puts a growing number before each recipient: its last digits choose the site, so no DNS is asked, which is in Postfix's
 * favour.
 */
function transportMap(sites: number, port: number): string {
  const to = (address: string): string => `relay:[${address}]:${port}`;
  if (sites === 1) return `/./ ${to("127.0.0.1")}\n`;
  const groups = sites === 20 ? ["02468", "13579"] : ["05", "16", "27", "38", "49"];
  return groups
    .map((digits, i) =>
      sites === 20
        ? `/[${digits}]([0-9])x@bench\\.test$/ ${to(`127.0.1${i}.1\${1}`)}\n`
        : `/[${digits}]([0-9])([0-9])x@bench\\.test$/ ${to(`127.0.${i + 1}\${1}.1\${2}`)}\n`,
    )
    .concat(`/./ ${to("127.0.0.1")}\n`)
    .join("");
}

export async function startPostfixContender(
  options: PostfixContenderOptions,
): Promise<Contender & { readonly postfix: Postfix }> {
  const { receiver, sites, clients, bodyBytes } = options;
  const folder = mkdtempSync(join(options.folder, "postfix-"));
  const transport = join(folder, "transport");
  writeFileSync(transport, transportMap(sites, receiver.port));
  const perSite = sites === 1 ? CONCURRENCY : Math.max(1, Math.ceil(CONCURRENCY / sites));
  const postfix = await startPostfix({
    folder,
    settings: {
      virtual_mailbox_domains: "",
      relay_domains: "bench.test",
      transport_maps: `regexp:${transport}`,
      default_process_limit: String(clients + CONCURRENCY),
      default_destination_concurrency_limit: String(perSite),
      relay_destination_concurrency_limit: String(perSite),
      initial_destination_concurrency: String(perSite),
      in_flow_delay: "0",
      smtp_connection_cache_on_demand: "yes",
      smtp_connection_reuse_count_limit: "1000",
      relay_destination_recipient_limit: "1",
      qmgr_message_active_limit: "100000",
      smtpd_client_connection_count_limit: "0",
      smtpd_client_connection_rate_limit: "0",
      smtpd_peername_lookup: "no",
      disable_dns_lookups: "yes",
      smtp_host_lookup: "native",
      local_header_rewrite_clients: "",
    },
  });
  return {
    name: "postfix",
    receiver,
    postfix,
    async round(count) {
      const total = receiver.count() + count;
      const cpuBefore = treeCpuUs(postfix.pid);
      const receiverBefore = cpuOf(receiver.pid);
      const startedAtMs = performance.now();
      const loaded = loadBySmtpSource({ port: postfix.port, clients, bodyBytes, count });
      const [acceptedAtMs, endedAtMs] = await Promise.all([loaded, untilTaken(receiver, total)]);
      return {
        count,
        deliveredPerSecond: count / ((endedAtMs - startedAtMs) / 1000),
        acceptedPerSecond: count / ((acceptedAtMs - startedAtMs) / 1000),
        acceptP50Ms: null,
        acceptP99Ms: null,
        cpuUs: {
          total: (treeCpuUs(postfix.pid) - cpuBefore) / count,
          receiver: (cpuOf(receiver.pid) - receiverBefore) / count,
        },
        writtenBytes: null,
        rssBytes: null,
      };
    },
    stop: () => postfix.stop(),
  };
}

function cpuOf(pid: number): number {
  return threadsOf(pid).reduce((sum, { us }) => sum + us, 0);
}

interface SmtpSource {
  readonly port: number;
  readonly clients: number;
  readonly bodyBytes: number;
  readonly count: number;
}

/** Its exit status matters: smtp-source "finishes" at once when nobody answers. */
function loadBySmtpSource({ port, clients, bodyBytes, count }: SmtpSource): Promise<number> {
  const args = ["-d", "-N", "-s", String(clients), "-l", String(bodyBytes), "-m", String(count)];
  const addresses = ["-f", "a@sender.test", "-t", "x@bench.test"];
  const child = spawn("smtp-source", [...args, ...addresses, `127.0.0.1:${port}`], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) =>
      code === 0
        ? resolve(performance.now())
        : reject(new Error(`smtp-source ended with ${String(code)}`)),
    );
  });
}
