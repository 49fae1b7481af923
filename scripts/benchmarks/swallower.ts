// A collector of traces that takes all and keeps nothing, in a process of its own; a GET tells how much came.
import { createServer } from "node:http";

const told = { requests: 0, bytes: 0 };
createServer((request, response) => {
  if (request.method === "GET") return void response.end(JSON.stringify(told));
  told.requests++;
  request.on("data", (chunk: Buffer) => void (told.bytes += chunk.length));
  // An empty ExportTraceServiceResponse: everything was taken.
  const type = request.headers["content-type"] ?? "";
  request.on("end", () => {
    response.writeHead(200, { "content-type": type });
    response.end(type.includes("json") ? "{}" : "");
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
