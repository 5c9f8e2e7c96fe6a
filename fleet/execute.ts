/** Runs a command in a pod's container, as `kubectl exec` does. */
import { once } from "node:events";
import { PassThrough, Readable, type Writable } from "node:stream";
import { Exec, type KubeConfig, type V1Status } from "@kubernetes/client-node";
import { NAMESPACE } from "../components/labels";
import { Failure } from "./errors";

export interface Executed {
  /** Exit code. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in a container; `input` goes to its standard input, for what must not be in argv. */
export type Execute = (
  pod: string,
  container: string,
  command: string[],
  input?: string,
) => Promise<Executed>;

/** Longest wait for a command, in milliseconds: the pod may have little of a busy node. */
const TIMEOUT_MS = 60_000;

export function executor(config: KubeConfig): Execute {
  const exec = new Exec(config);
  return (pod, container, command, input) =>
    new Promise((resolve, reject) => {
      const [stdout, stderr] = [collect(), collect()];
      const timer = setTimeout(() => {
        reject(new Failure(`no end of a command in pod ${pod} within ${TIMEOUT_MS / 1000} s`));
      }, TIMEOUT_MS);
      const ended = (status: V1Status) => {
        clearTimeout(timer);
        resolve({ code: exitCode(status), stdout: stdout.text(), stderr: stderr.text() });
      };
      const stdin = input === undefined ? null : Readable.from([input]);
      exec
        .exec(NAMESPACE, pod, container, command, stdout, stderr, stdin, false, ended)
        .catch((error: unknown) => {
          clearTimeout(timer);
          reject(notRun(pod, error));
        });
    });
}

/** Runs a command whose output is too long to be held; `sink` takes it at its own speed. */
export type Stream = (
  pod: string,
  container: string,
  command: string[],
  sink: Writable,
  signal: AbortSignal,
) => Promise<Omit<Executed, "stdout">>;

/** @throws Failure when the connection ends before the command does; what the sink throws */
export function streamer(config: KubeConfig): Stream {
  const exec = new Exec(config);
  return async (pod, container, command, sink, signal) => {
    signal.throwIfAborted();
    const stderr = collect();
    let status: V1Status | undefined;
    let broken: unknown;
    const socket = await exec
      .exec(NAMESPACE, pod, container, command, sink, stderr, null, false, (end) => (status = end))
      .catch((error: unknown) => {
        throw notRun(pod, error);
      });
    const end = (why: unknown) => {
      broken = why;
      socket.terminate();
    };
    const abort = () => end(signal.reason);
    signal.addEventListener("abort", abort);
    sink.on("error", end);
    socket.on("error", (error: Error) => (broken ??= error));
    socket.on("message", () => sink.writableNeedDrain && socket.pause());
    sink.on("drain", () => socket.resume());
    try {
      if (socket.readyState !== socket.CLOSED) await once(socket, "close");
    } finally {
      signal.removeEventListener("abort", abort);
    }
    signal.throwIfAborted();
    if (sink.errored) throw sink.errored;
    if (!status) {
      const why = broken instanceof Error ? `: ${broken.message}` : "";
      throw new Failure(`the connection to pod ${pod} ended too early${why}`);
    }
    return { code: exitCode(status), stderr: stderr.text() };
  };
}

function notRun(pod: string, error: unknown): Failure {
  const reason = error instanceof Error ? error.message : "the connection was refused";
  return new Failure(`no command can be run in pod ${pod}: ${reason}`);
}

function collect() {
  const chunks: Buffer[] = [];
  const stream = new PassThrough();
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString() });
}

function exitCode({ status, details }: V1Status): number {
  if (status === "Success") return 0;
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode");
  return cause ? Number(cause.message) : 1;
}
