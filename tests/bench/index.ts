/**
 * `npm run bench`: ratios, side by side in one run, because absolute times on a shared machine are
 * noise. The floor is an empty TypeScript project on the same engine and backend.
 */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { startCluster, stopCluster } from "../../local/cluster";
import { type Engine, openEngine } from "../../local/engine";
import { policyPack } from "../../local/policy-pack";
import { benchBackup } from "./backup";
import { benchPolicy } from "./policy";
import { startedCheckout } from "./start";
import { benchVisit } from "./visit";

const ROUNDS = 5;
const CHECKOUT = path.join(__dirname, "../..");

/** One thing to time, against its floor. */
interface Pair {
  what: string;
  target: number;
  floor: () => Promise<unknown>;
  measured: () => Promise<unknown>;
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  await run();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Alternates the two, after one warm-up of each, and compares the medians. */
async function compare({ what, target, floor, measured }: Pair) {
  await floor();
  await measured();
  const times = { floor: [] as number[], measured: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    times.floor.push(await seconds(floor));
    times.measured.push(await seconds(measured));
  }
  const ratio = median(times.measured.map((time, i) => time / times.floor[i]));
  return {
    what,
    "floor (s)": median(times.floor).toFixed(2),
    "measured (s)": median(times.measured).toFixed(2),
    ratio: ratio.toFixed(2),
    target: `<= ${target}`,
    met: ratio <= target ? "yes" : "no",
  };
}

/** An empty TypeScript project, as `pulumi new typescript` lays it out. */
async function emptyProject(folder: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  const write = (name: string, text: string) => fs.writeFile(path.join(folder, name), text);
  await write("Pulumi.yaml", "name: empty\nruntime: nodejs\n");
  await write("package.json", '{ "name": "empty", "main": "index.ts" }\n');
  await write(
    "tsconfig.json",
    '{ "compilerOptions": { "strict": true, "module": "nodenext", "moduleResolution": "nodenext" } }\n',
  );
  await write(
    "index.ts",
    'import * as pulumi from "@pulumi/pulumi";\nexport const stack = pulumi.getStack();\n',
  );
  await fs.symlink(path.join(CHECKOUT, "node_modules"), path.join(folder, "node_modules"));
}

async function main(): Promise<void> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-bench-"));
  const project = path.join(folder, "empty");
  await emptyProject(project);
  const copy = path.join(folder, "checkout");
  await startCluster(folder);
  try {
    const checkout = await startedCheckout(copy);
    const engine = await openEngine(folder, { standIns: "always" });
    const empty = await openEngine(folder, { standIns: "always", project });
    const command = (of: Engine, stack: string) => (args: string[], env: NodeJS.ProcessEnv) =>
      of.pulumi(args, { stack, env });
    const ours = command(engine, "liberty");
    const theirs = command(empty, "dev");
    await ours(["up", "--yes", "--skip-preview"], {});
    await theirs(["up", "--yes", "--skip-preview"], {});
    const judged = ["preview", "--policy-pack", await policyPack()];
    const pairs = ["where nothing was compiled before", "again"].flatMap((when, again): Pair[] => {
      // ts-node keeps what it compiled under TMPDIR; a pull-request check begins without.
      const environment = async () =>
        again ? {} : { TMPDIR: await fs.mkdtemp(path.join(folder, "fresh-")) };
      const timed = (run: typeof ours, args: string[]) => async () =>
        run(args, await environment());
      return [
        {
          what: `preview of a stack, against an empty project, ${when}`,
          target: 1.2,
          floor: timed(theirs, ["preview"]),
          measured: timed(ours, ["preview"]),
        },
        {
          what: `up without changes, against an empty project, ${when}`,
          target: 1.5,
          floor: timed(theirs, ["up", "--yes"]),
          measured: timed(ours, ["up", "--yes"]),
        },
        {
          what: `preview with the policy pack, against one without, ${when}`,
          target: 1.2,
          floor: timed(ours, ["preview"]),
          measured: timed(ours, judged),
        },
      ];
    });
    pairs.push({
      what: "a second npm start, against the up that is a part of it",
      target: 2,
      floor: checkout.up,
      measured: checkout.start,
    });
    const rows = [];
    for (const pair of pairs) rows.push(await compare(pair));
    console.table(rows);
    if (rows.some(({ met }) => met === "no")) process.exitCode = 1;
    benchPolicy();
  } finally {
    await stopCluster(path.join(copy, ".local"));
    await stopCluster(folder);
    await fs.rm(folder, { recursive: true });
  }
  await benchVisit();
  await benchBackup();
}

void main();
