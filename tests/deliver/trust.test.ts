// Whom we believe may change while mail flows, and what was believed before is not carried over.
import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Proof } from "../../src/deliver/proof.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import { createTrust } from "../../src/route/trust.ts";
import { until } from "../fixtures/until.ts";
import { fakeCertificate } from "./fakeCertificate.ts";
import { startFakeMx, type FakeMx } from "./fakeMx.ts";

let server: FakeMx | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

test("an authority that is added is believed at once, and one that is taken away no more", async () => {
  server = await startFakeMx({ implicitTls: true });
  const { port } = server;
  const trust = createTrust();
  const proofs: Proof[] = [];
  const judged = (_: string, proof: Proof): void => void proofs.push(proof);
  const connect = createSocketConnect({ clock: systemClock, trust, judged });
  const signal = new AbortController().signal;
  const target = { host: "mx.example.com", address: "127.0.0.1", port, via: "relay" } as const;
  const visit = async () => {
    const connection = await connect({ ...target, implicitTls: true }, 5_000, signal);
    if (connection.kind === "failure") throw new Error(connection.text);
    let heard = "";
    connection.listen({
      data: (chunk) => void (heard += Buffer.from(chunk).toString()),
      drained: () => {},
      closed: () => {},
    });
    // The ticket comes before the greeting.
    await until("the greeting", () => heard.startsWith("220"));
    connection.close();
    return connection.tls;
  };
  expect(await visit()).toMatchObject({ verified: false, resumed: false });
  expect(await visit()).toMatchObject({ verified: false, resumed: true });
  trust.configure([fakeCertificate]);
  expect(await visit()).toMatchObject({ verified: true, resumed: false });
  // The same authorities again are no change.
  trust.configure([fakeCertificate]);
  expect(await visit()).toMatchObject({ verified: true, resumed: true });
  trust.configure([]);
  expect(await visit()).toMatchObject({ verified: false, resumed: false });
  expect(proofs.map(({ verified }) => verified)).toEqual([false, false, true, true, false]);
});
