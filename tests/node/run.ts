/** `npm run test:node`: this folder's tests where a node can run; elsewhere it says why none can. */
import { execa } from "execa";
import { runCommand } from "../../local/errors";
import { nodeRefusal } from "../../local/node/tier";

const FILES = "tests/node/**/*.test.ts";

runCommand(async () => {
  const refusal = nodeRefusal();
  if (refusal !== undefined) return console.log(`The tests of the node are left out: ${refusal}.`);
  const args = ["--timeout", "1800000", FILES, ...process.argv.slice(2)];
  const options = { stdio: "inherit", preferLocal: true, reject: false } as const;
  process.exitCode = (await execa("mocha", args, options)).exitCode ?? 1;
});
