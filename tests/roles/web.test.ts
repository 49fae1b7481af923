// How the door's rooms look up names: by the queue thread, both families in turn.
import { expect, test } from "bun:test";
import { busy, type Command, type CommandAnswer, done } from "../../src/mail/command.ts";
import { resolveBy } from "../../src/roles/web.ts";

type Said = { readonly result: string; readonly why?: string; readonly records?: string[] };

function resolve(v4: Said, v6: Said) {
  const order = async (command: Command): Promise<CommandAnswer> => {
    if (command.do !== "dns.lookup" || command.name !== "a.example") return busy;
    return done({ why: "", records: [], ...(command.type === "A" ? v4 : v6) });
  };
  return resolveBy(order)("a.example");
}

const none: Said = { result: "none", why: "nodata" };

test("the addresses of both families come in turn, the newer one first", async () => {
  const v4 = { result: "found", records: ["192.0.2.1", "192.0.2.2"] };
  const v6 = { result: "found", records: ["2001:db8::1"] };
  expect(await resolve(v4, v6)).toEqual({
    kind: "found",
    addresses: ["2001:db8::1", "192.0.2.1", "192.0.2.2"],
  });
  expect(await resolve(v4, none)).toEqual({ kind: "found", addresses: v4.records });
});

test("a name without an address is told from one that nobody could answer for", async () => {
  expect(await resolve(none, none)).toEqual({ kind: "none", why: "the name has no address" });
  const unknown = await resolve(none, { result: "unknown", why: "timeout" });
  expect(unknown).toEqual({ kind: "unknown", why: "the DNS says timeout" });
  expect(await resolveBy(async () => busy)("a.example")).toMatchObject({ kind: "unknown" });
});
