/**
 * `npm start` on a checkout that may be fresh: plain JavaScript without a library, which installs the
 * libraries when they are missing or older than the lockfile, and hands over to start.ts.
 */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("..", import.meta.url));
const oldest = [20, 19];

function installed() {
  // npm writes this file last, with what it has installed.
  const marker = `${checkout}node_modules/.package-lock.json`;
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(lockfile).mtimeMs;
}

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: checkout, stdio: "inherit" });
  if (error) {
    console.error(`${command} could not be started: ${error.message}`);
  }
  if (status !== 0) {
    process.exit(status ?? (signal === "SIGINT" ? 130 : 1));
  }
}

// Ctrl-C reaches the command that runs, which ends in order; this waits for it.
process.on("SIGINT", () => undefined);

const lockfile = `${checkout}package-lock.json`;
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  console.error(`Node.js ${oldest.join(".")} or newer is needed, found ${process.versions.node}.`);
  process.exit(1);
}
if (!installed()) {
  console.log("Installing the libraries (npm ci)");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}
run(process.execPath, ["--import", "tsx", "local/start.ts", ...process.argv.slice(2)]);
