// Between smtp-source, which cannot log in, and the SMTP door, which takes nothing without a login: on each connection it says EHLO and AUTH
// as a mail program does, one after the other, answers the client's HELO itself, and carries octets both ways from then on. In a process of
// its own, so that its CPU can be told apart.
import type { Socket } from "bun";

interface Side {
  other: Socket<Side> | null;
  /** What its socket could not take yet. */
  unsent: Buffer;
  /** Of the client: it has said HELO. */
  greeted: boolean;
  /** Of the server: what is awaited before octets are carried; null once they are. */
  login: { step: "banner" | "hello" | "auth"; heard: string; banner: string } | null;
}

const [listenPort, doorPort, key] = process.argv.slice(2);
const plain = Buffer.from(`\0bench\0${key ?? ""}`).toString("base64");
const nothing = Buffer.alloc(0);
const hello = Buffer.from("250 bench.test\r\n");

function send(to: Socket<Side>, bytes: Uint8Array): void {
  const { data } = to;
  if (data.unsent.length === 0) {
    const taken = Math.max(0, to.write(bytes));
    if (taken < bytes.length) data.unsent = Buffer.from(bytes.subarray(taken));
  } else data.unsent = Buffer.concat([data.unsent, bytes]);
}

function drained(socket: Socket<Side>): void {
  const { unsent } = socket.data;
  socket.data.unsent = nothing;
  if (unsent.length > 0) send(socket, unsent);
}

const replyEnd = /^\d{3} .*\r\n$/m;

/** The server's part of the login; anything but a success ends both. */
function logIn(server: Socket<Side>, chunk: Uint8Array): void {
  const { login } = server.data;
  if (login === null) return;
  login.heard += Buffer.from(chunk).toString("latin1");
  if (!replyEnd.test(login.heard)) return;
  const said = login.heard;
  login.heard = "";
  if (!said.startsWith("2")) {
    console.error(`the login failed: ${said}`);
    process.exit(1);
  }
  if (login.step === "banner") {
    login.banner = said;
    login.step = "hello";
    server.write("EHLO bench.test\r\n");
  } else if (login.step === "hello") {
    login.step = "auth";
    server.write(`AUTH PLAIN ${plain}\r\n`);
  } else {
    server.data.login = null;
    if (server.data.other !== null) send(server.data.other, Buffer.from(login.banner));
  }
}

const close = (socket: Socket<Side>): void => void socket.data.other?.end();

Bun.listen<Side>({
  hostname: "127.0.0.1",
  port: Number(listenPort),
  socket: {
    open(client) {
      client.data = { other: null, unsent: nothing, greeted: false, login: null };
      void Bun.connect<Side>({
        hostname: "127.0.0.1",
        port: Number(doorPort),
        data: {
          other: client,
          unsent: nothing,
          greeted: true,
          login: { step: "banner", heard: "", banner: "" },
        },
        socket: {
          open: (server) => void (client.data.other = server),
          data(server, chunk) {
            if (server.data.login === null) send(client, chunk);
            else logIn(server, chunk);
          },
          drain: drained,
          close,
        },
      });
    },
    data(client, chunk) {
      if (client.data.greeted) return void (client.data.other && send(client.data.other, chunk));
      client.data.greeted = true;
      send(client, hello);
    },
    drain: drained,
    close,
  },
});
