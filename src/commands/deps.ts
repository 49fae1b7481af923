// What the commands are handed: everything that they would otherwise reach for. `roles` gives the real ones, tests give their own.
import type { Clock } from "../base/clock.ts";
import type { LoadedConfig, Surroundings } from "../config.ts";
import type { Endpoint } from "../config/kinds.ts";
import type { Facts } from "./banner.ts";
import type { Output } from "./output.ts";
import type { Terminal } from "./screen.ts";
import type { StressReport } from "./stressReport.ts";
import type { StressRequest } from "./stressRequest.ts";

export type GoodConfig = Extract<LoadedConfig, { kind: "ok" }>;

export interface DaemonHooks {
  /** Called once, when the API answers. */
  onReady(facts: Facts): void;
  /** For a reload: the same flags, and everything else as it is now. */
  load(): LoadedConfig;
}

/** As written on the command line; `sink` knows what the words mean. */
export interface SinkRequest {
  readonly listen: Endpoint;
  readonly stats: Endpoint | null;
  readonly tls: "starttls" | "implicit" | null;
  readonly delays: readonly string[];
  readonly faults: readonly string[];
  readonly dumpDir: string | null;
  /** Told of each message that is taken. */
  readonly onTaken:
    ((taken: { readonly recipients: readonly string[]; readonly id: string }) => void) | null;
}

export type SinkStart =
  | {
      readonly kind: "started";
      readonly port: number;
      /** 0 when there is no such port. */
      readonly statsPort: number;
      /** What was taken so far; plain data. */
      summary(): Readonly<Record<string, unknown>>;
      stop(): Promise<void>;
    }
  | { readonly kind: "bad"; readonly problems: readonly string[] };

export type StressEnd =
  | { readonly kind: "report"; readonly report: StressReport }
  | { readonly kind: "failed"; readonly code: number; readonly text: string };

export interface CliDeps {
  readonly surroundings: Surroundings;
  readonly output: Output;
  readonly clock: Clock;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Piece by piece. */
  stdin(): AsyncIterable<Uint8Array>;
  /** The name of whoever runs the command. */
  user(): string;
  /** Undefined when there is no such file. */
  readBytes(path: string): Uint8Array | undefined;
  /** As `readBytes`, piece by piece. */
  readPieces(path: string): AsyncIterable<Uint8Array> | undefined;
  /** Resolves when the daemon has ended, with its exit code. */
  startDaemon(loaded: GoodConfig, hooks: DaemonHooks): Promise<number>;
  startSink(request: SinkRequest): Promise<SinkStart>;
  runStress(request: StressRequest): Promise<StressEnd>;
  /** The end of standard input is a signal to end: whoever started this process is gone. */
  endWithStdin(): void;
  /** Null: there is none, or what is written does not go there. */
  terminal(): Terminal | null;
  /** Resolves at SIGINT or SIGTERM. */
  untilStopped(): Promise<void>;
}
