// Whether somebody serves a local socket, or a process that is gone has left its file.
import { connect } from "node:net";

/** False also where there is no such file, or where it is none of ours to open. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
