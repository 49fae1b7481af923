// A DNS server as a process: every domain has one MX with one address of each family. Says its port; `silent` on its input ends all
// answers, as an outage does.
import * as packet from "dns-packet";
import { createSocket } from "node:dgram";

const TTL_S = 300;

function answersFor({ type, name }: packet.Question): packet.Answer[] {
  if (type === "MX")
    return [{ type, name, ttl: TTL_S, data: { preference: 10, exchange: `mx.${name}` } }];
  if (type === "A") return [{ type, name, ttl: TTL_S, data: "192.0.2.1" }];
  return type === "AAAA" ? [{ type, name, ttl: TTL_S, data: "2001:db8::1" }] : [];
}

const socket = createSocket({ type: "udp4", recvBufferSize: 4_000_000 });
let silent = false;
socket.on("message", (bytes, from) => {
  if (silent) return;
  const query = packet.decode(bytes);
  const questions = query.questions ?? [];
  const reply = packet.encode({
    type: "response",
    id: query.id,
    flags: packet.RECURSION_DESIRED | packet.RECURSION_AVAILABLE,
    questions,
    answers: questions.flatMap(answersFor),
  });
  socket.send(reply, from.port, from.address);
});
socket.bind(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: socket.address().port })}\n`);
});
process.stdin.on("data", () => {
  silent = true;
  process.stdout.write(`${JSON.stringify({ silent })}\n`);
});
process.stdin.on("end", () => process.exit(0));
