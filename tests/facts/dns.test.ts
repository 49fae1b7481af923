// Why all MX, TXT and TLSA questions go through our own client.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { decode, encode, type Answer } from "dns-packet";
import { createSocket, type Socket } from "node:dgram";
import type { AddressInfo } from "node:net";
import * as dns from "node:dns";

const answers: Record<string, Answer[]> = {
  "MX mail.test": [
    { type: "MX", name: "mail.test", ttl: 77, data: { exchange: "mx.mail.test", preference: 5 } },
  ],
  "TXT long.test": [
    { type: "TXT", name: "long.test", ttl: 60, data: ["one ", "two"] },
    { type: "TXT", name: "long.test", ttl: 60, data: ["three"] },
  ],
};

let server: Socket;
const resolver = new dns.promises.Resolver();

beforeAll(async () => {
  server = createSocket("udp4");
  server.on("message", (bytes, from) => {
    const { id = 0, questions = [] } = decode(bytes);
    const [question] = questions;
    const found = answers[`${question?.type} ${question?.name}`] ?? [];
    // Response, recursion available; an empty answer with NOERROR is NODATA, but for one name
    // NXDOMAIN.
    const flags = 0x8180 | (question?.name === "nowhere.test" ? 3 : 0);
    server.send(
      encode({ id, type: "response", flags, questions, answers: found }),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", () => resolve()));
  resolver.setServers([`127.0.0.1:${(server.address() as AddressInfo).port}`]);
});

afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

async function codeOf(answer: Promise<unknown>): Promise<string> {
  try {
    return `found ${JSON.stringify(await answer)}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "no code";
  }
}

test("node:dns gives the same ENOTFOUND for NODATA and for a name that does not exist", async () => {
  expect(await codeOf(resolver.resolveMx("empty.test"))).toBe("ENOTFOUND");
  expect(await codeOf(resolver.resolveMx("nowhere.test"))).toBe("ENOTFOUND");
});

test("node:dns splits one TXT record of two strings", async () => {
  expect(await resolver.resolveTxt("long.test")).not.toContainEqual(["one ", "two"]);
});

test("node:dns tells no TTL of an MX and knows no TLSA", async () => {
  expect(await resolver.resolveMx("mail.test")).toEqual([
    { exchange: "mx.mail.test", priority: 5 },
  ]);
  expect("resolveTlsa" in resolver).toBe(false);
});
