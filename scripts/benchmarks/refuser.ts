// A server that wants no mail: 421 to whoever comes, and the end. A process of its own, so that its work is nobody else's.
import { createServer } from "node:net";

const port = Number(process.argv[2]);
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.end("421 4.7.0 not now, try again later\r\n");
});
server.listen(port, "::1");
process.on("SIGTERM", () => process.exit(0));
