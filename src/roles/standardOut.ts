// What is written for whoever started us, and what it means that it cannot be: a pipe whose reader has gone, a file on a full disk.
import { fstatSync, writeSync } from "node:fs";
import { exitCodes } from "../commands/exitCodes.ts";
import { leave } from "./signals.ts";

/** `outlives`: mail goes on, whoever reads. Resolves once the reader of our output has seen enough, as `| head` has. */
export function watchOutput(outlives: boolean): Promise<void> {
  const { stdout, stderr } = process;
  // Nobody is left who could be told.
  stderr.on("error", () => {});
  return new Promise((resolve) => {
    stdout.on("error", (error: NodeJS.ErrnoException) => {
      if (outlives) return;
      if (error.code === "EPIPE") return resolve();
      stderr.write(`the output cannot be written: ${error.message}\n`);
      leave(exitCodes.disk);
    });
  });
}

export type SendLine = (line: string, sent: () => void) => void;

/** To the standard error. `lost` is told how many lines a full disk has cost, once there is room again. */
export function lineSender(lost: (lines: number) => void): SendLine {
  if (!isFile(STDERR)) return (line, sent) => void process.stderr.write(line, sent);
  return createFileSender((line) => void writeSync(STDERR, line), lost);
}

/** A stream is dead after its first error, but a disk that is full is not full for ever. */
export function createFileSender(
  write: (line: string) => void,
  lost: (lines: number) => void,
): SendLine {
  let missed = 0;
  return (line, sent) => {
    try {
      write(line);
    } catch {
      missed++;
      return sent();
    }
    sent();
    if (missed === 0) return;
    const lines = missed;
    missed = 0;
    lost(lines);
  };
}

const STDERR = 2;

function isFile(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    // It was closed before we began.
    return false;
  }
}
