// The server of a domain's MTA-STS policy (RFC 8461), also one that misbehaves: what it says to the first request, byte for byte.
import { createServer } from "node:tls";
import type { Place } from "./case.ts";
import { type Flaw, certificateFor } from "./certificates.ts";

export interface PolicyPlan {
  readonly certificate?: Flaw;
  /** The whole reply of HTTP; a function may go on writing. */
  reply(place: Place, write: (octets: string) => boolean): string | undefined;
}

export const PORT_HTTPS = 443;

export async function startPolicyServer(
  { certificate, reply }: PolicyPlan,
  place: Place,
): Promise<{ close(): Promise<void> }> {
  const { name, address } = place.policyHost;
  const { cert, key } = certificateFor(name, certificate);
  const { names, domain } = place;
  // In two strings, which are one value (RFC 7208 3.3 says it for all such records).
  const data = ["v=STSv1; ", "id=1;"];
  names.table.set(`_mta-sts.${domain} TXT`, {
    answers: [{ type: "TXT", name: `_mta-sts.${domain}`, ttl: 60, data }],
  });
  names.table.set(`${name} A`, { answers: [{ type: "A", name, ttl: 60, data: address }] });
  const server = createServer({ cert, key }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      const said = reply(place, (octets) => !socket.destroyed && socket.write(octets));
      if (said !== undefined) socket.end(said);
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(PORT_HTTPS, address, resolve));
  return { close: () => new Promise((resolve) => void server.close(() => resolve())) };
}
