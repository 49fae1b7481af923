// The load of the benchmarks ends with whom it loads: one that stays would distort every figure after it.
import { expect, test } from "bun:test";
import { type AddressInfo, createServer } from "node:net";
import { type LoadOptions, runLoad } from "../../scripts/benchmarks/generator.ts";

test("a load whose daemon hangs up ends in an error", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const options: LoadOptions = {
    port: (server.address() as AddressInfo).port,
    key: "none",
    count: 100,
    clients: 3,
    bodyBytes: 100,
    sites: 1,
    firstId: 0,
    form: "json",
    idempotency: false,
  };
  await expect(runLoad(options)).rejects.toThrow();
  server.close();
});
