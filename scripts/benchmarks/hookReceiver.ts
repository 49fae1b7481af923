// A receiver of webhooks in a process of its own: `takes` answers at once, `hangs` never does. Prints how many requests came, each second.
import { createServer } from "node:http";

const [port, manner] = process.argv.slice(2);
let came = 0;
const server = createServer((request, response) => {
  came++;
  request.resume();
  if (manner === "takes") request.on("end", () => response.end("ok"));
});
server.listen(Number(port), "127.0.0.1");
setInterval(() => console.log(came), 1000);
