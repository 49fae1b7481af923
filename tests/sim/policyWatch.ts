// No message goes below its domain's TLS policy: not over a connection that was opened for another domain of the same site, and not over
// one from before the policy. A recipient that was ever sent under a lax policy may arrive late under it.
import type { Dispatch } from "../../src/queue/launch.ts";
import { keyOf } from "./server.ts";

export interface PolicyWatch {
  sent(dispatch: Pick<Dispatch, "job" | "route">): void;
  dot(message: string, address: string, proven: boolean): void;
}

export function createPolicyWatch(violation: (text: string) => void): PolicyWatch {
  const lax = new Set<string>();
  return {
    sent({ job, route }) {
      const strict = route.hosts.every(({ endpoint }) => endpoint?.tls === "verify");
      if (strict) return;
      for (const { address } of job.recipients) lax.add(keyOf(String(job.message), address));
    },
    dot(message, address, proven) {
      if (proven || lax.has(keyOf(message, address))) return;
      violation(`${message} ${address} went over a connection that proved nothing`);
    },
  };
}
