// The requests of a load are what the door takes: their length is right, their JSON too, and each has its own number.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createAddresses, parseMix } from "../../src/stress/mix.ts";
import { createRequests, type RequestOptions } from "../../src/stress/request.ts";

const mix = parseMix("ok:2,soft-rcpt:1");
if (typeof mix === "string") throw new Error(mix);
const addresses = createAddresses(mix, "example.com", "abc123");
const options: RequestOptions = {
  host: "127.0.0.1:8250",
  path: "/send",
  key: "pr_key",
  from: '"o\\"dd"@example.com',
  addresses,
  priority: "p1",
  bodyBytes: 5_000,
};

function parsed(text: string): { head: string; body: { [name: string]: string } } {
  const [head = "", body = ""] = text.split("\r\n\r\n");
  expect(Number(/Content-Length: (\d+)/.exec(head)?.[1])).toBe(Buffer.byteLength(body));
  return { head, body: JSON.parse(body) as { [name: string]: string } };
}

test("each request is whole, says its number, and does not change those before it", () => {
  for (const bodyBytes of [1, 76, 5_000, 60_000, 200_000]) {
    const requests = createRequests({ ...options, bodyBytes });
    const [one, other] = [requests(), requests()];
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (n, m) => {
          const first = one(n);
          other(m);
          const { head, body } = parsed(Buffer.concat(first).toString("latin1"));
          expect(body["to"]).toBe(addresses.of(n));
          expect(body["from"]).toBe(options.from);
          expect(body["text"]).toHaveLength(bodyBytes);
          expect(body["priority"]).toBe("p1");
          expect(head).toContain("\r\nAuthorization: Bearer pr_key\r\n");
        },
      ),
      { numRuns: 20 },
    );
  }
});

test("over a local socket no key is said", () => {
  const [bytes] = createRequests({ ...options, key: "" })()(7);
  expect(Buffer.from(bytes ?? []).toString("latin1")).not.toContain("Authorization");
});

test("a large body is shared by all connections", () => {
  const requests = createRequests({ ...options, bodyBytes: 1_000_000 });
  const [, one] = requests()(1);
  const [, other] = requests()(2);
  expect(one).toBeDefined();
  expect(other).toBe(one as Uint8Array);
});
