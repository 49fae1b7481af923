// Lines of the log on a disk that is full for a while.
import { expect, test } from "bun:test";
import { createFileSender } from "../../src/roles/standardOut.ts";

test("a full disk costs the lines of that time, which are counted once there is room again", () => {
  const written: string[] = [];
  const lost: number[] = [];
  let isFull = false;
  let sent = 0;
  const send = createFileSender(
    (line) => {
      if (isFull) throw new Error("ENOSPC");
      written.push(line);
    },
    (lines) => void lost.push(lines),
  );
  const say = (line: string): void => send(line, () => void sent++);
  say("a");
  isFull = true;
  say("b");
  say("c");
  expect(lost).toEqual([]);
  isFull = false;
  say("d");
  say("e");
  expect(written).toEqual(["a", "d", "e"]);
  expect(lost).toEqual([2]);
  // Whoever waits for the last line does not wait for one that was lost.
  expect(sent).toBe(5);
});
