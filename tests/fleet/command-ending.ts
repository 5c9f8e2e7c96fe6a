/** Ends the fleet command itself at a line that it prints: no watcher is too late on a busy machine. */

/** Where and how the command is to end. */
export interface Ending {
  /** What the line has in it. */
  words: string;
  /** The how manyth such line; default: the first. */
  count?: number;
  /** A killed machine takes the engine along; Ctrl-C without a terminal reaches the command alone. */
  signal: "SIGKILL" | "SIGINT";
}

if (process.env.FLEET_ENDING) {
  const { words, count = 1, signal } = JSON.parse(process.env.FLEET_ENDING) as Ending;
  const write = process.stderr.write.bind(process.stderr) as (...args: unknown[]) => boolean;
  let seen = 0;
  process.stderr.write = (...args: unknown[]) => {
    const written = write(...args);
    if (String(args[0]).includes(words) && ++seen === count) {
      process.kill(signal === "SIGKILL" ? -process.pid : process.pid, signal);
    }
    return written;
  };
}
