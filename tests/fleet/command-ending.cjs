/** Ends the fleet command itself at a line that it prints: no watcher is too late on a busy machine. */
"use strict";

if (process.env.FLEET_ENDING) {
  // An Ending of bench.ts.
  const { words, count = 1, signal } = JSON.parse(process.env.FLEET_ENDING);
  const write = process.stderr.write.bind(process.stderr);
  let seen = 0;
  process.stderr.write = (...args) => {
    const written = write(...args);
    if (String(args[0]).includes(words) && ++seen === count) {
      process.kill(signal === "SIGKILL" ? -process.pid : process.pid, signal);
    }
    return written;
  };
}
