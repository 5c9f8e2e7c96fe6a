/** What holds for every workflow: pinned actions, least rights, nothing that does not run here too. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import packageJson from "../../../package.json";
import { fleetLines, refusalOf } from "../../fleet-line";
import { tiers } from "../../run/tiers";

const checkout = path.resolve(__dirname, "../../..");
const github = path.join(checkout, ".github");

interface Step {
  uses?: string;
  run?: string;
  if?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}

interface Job {
  needs?: string;
  if?: string;
  environment?: string;
  permissions?: Record<string, string>;
  env?: Record<string, string>;
  "timeout-minutes"?: number;
  strategy?: { "fail-fast"?: boolean; matrix: { tier: string[] } };
  steps: Step[];
}

interface Workflow {
  on: Record<string, unknown>;
  permissions?: object;
  concurrency?: { group: string; "cancel-in-progress": boolean };
  jobs: Record<string, Job>;
}

const files = fs.readdirSync(path.join(github, "workflows"));
const texts = Object.fromEntries(
  [...files.map((file) => path.join("workflows", file)), "actions/prepare/action.yml"].map(
    (file) => [file, fs.readFileSync(path.join(github, file), "utf8")],
  ),
);
const workflows = files.map((file): [string, Workflow] => [
  file,
  parse(texts[path.join("workflows", file)]),
]);
const jobs = workflows.flatMap(([file, workflow]) =>
  Object.entries(workflow.jobs).map(([name, job]): [string, string, Job] => [file, name, job]),
);
const prepare: { runs: { steps: Step[] } } = parse(texts["actions/prepare/action.yml"]);
const steps = [...jobs.flatMap(([, , job]) => job.steps), ...prepare.runs.steps];
/** The jobs of deploy.yml, each after the one that it needs. */
const deployed = ((): [string, Job][] => {
  const { jobs } = Object.fromEntries(workflows)["deploy.yml"];
  const after = (name?: string): [string, Job][] => {
    const next = Object.entries(jobs).filter(([, { needs }]) => needs === name);
    return next.flatMap(([job, content]) => [[job, content], ...after(job)]);
  };
  return after();
})();

/** Where this part of a workflow names a secret. */
const secretsIn = (part: unknown) => JSON.stringify(part).match(/secrets\.\w+/g) ?? [];

describe("the workflows", () => {
  it("pin every action by commit, with its version beside it", () => {
    const uses = Object.values(texts).flatMap((text) => text.match(/^.*\buses:.*$/gm) ?? []);
    assert.ok(uses.length > 10);
    for (const line of uses) {
      const local = /uses: \.\/(\.github\/actions\/\w+)$/.exec(line)?.[1];
      if (local) assert.ok(fs.existsSync(path.join(checkout, local, "action.yml")), line);
      else assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  it("run npm alone, and only scripts that there are", () => {
    const commands = steps.flatMap(({ run }) => run?.trim().split("\n") ?? []);
    assert.ok(commands.length > 5);
    for (const command of commands) {
      if (command === "npm ci --no-audit") continue;
      // The node's pods really run, which only root may do.
      const own = command.replace(/^sudo --preserve-env env ("\w+=\$\w+" )+/, "");
      const script = /^npm (?:run )?(test(?= -- )|[\w:-]+)( |$)/.exec(own)?.[1];
      assert.ok(script && script in packageJson.scripts, command);
    }
  });

  it("run every tier of the tests, and what takes long at night", () => {
    const { on, jobs } = Object.fromEntries(workflows)["test.yml"];
    const { strategy, env, steps } = jobs.tier;
    assert.deepEqual([...strategy!.matrix.tier].sort(), tiers.map(({ name }) => name).sort());
    assert.equal(strategy?.["fail-fast"], false);
    assert.match(env?.SOAK ?? "", /== 'schedule' .*&& '1' \|\| ''/);
    assert.ok("schedule" in on && "pull_request" in on);
    const cached = steps.find(({ uses }) => uses?.startsWith("actions/cache@"))?.with?.key;
    for (const name of String(cached).match(/'local\/[^']+'/g) ?? []) {
      const folder = name.slice(1, -1).replace(/\/\*\*$/, "");
      assert.ok(fs.existsSync(path.join(checkout, folder)), name);
    }
  });

  it("ask the fleet for commands that it has", async () => {
    const { stdout } = await execa("npm", ["run", "--silent", "fleet", "--", "--help"], {
      cwd: checkout,
    });
    const known = [...stdout.matchAll(/^ {2}([a-z][\w-]*) /gm)].map(([, name]) => name);
    const shown = [...stdout.matchAll(/^ {2}npm run fleet -- ([\w-]+) \S/gm)];
    assert.deepEqual(
      [...new Set(shown.map(([, name]) => name))].sort(),
      known.filter((name) => name !== "npm" && name !== "help").sort(),
      "a command without an example",
    );
    const asked = Object.values(texts).flatMap(fleetLines);
    assert.ok(asked.length > 5);
    for (const line of asked) assert.equal(await refusalOf(line), undefined, line);
  });

  it("put nothing of an event into a shell line", () => {
    for (const { run = "" } of steps) assert.doesNotMatch(run, /\$\{\{/);
  });

  it("have no right that is not stated, and one job that may write: the comment's", () => {
    for (const [file, { permissions }] of workflows) assert.deepEqual(permissions, {}, file);
    for (const [file, name, { permissions }] of jobs) {
      const own = name === "comment" ? { "pull-requests": "write" } : {};
      assert.deepEqual(permissions, { contents: "read", ...own }, `${file} ${name}`);
    }
  });

  it("never run a stranger's code with the repository's rights", () => {
    const events = workflows.flatMap(([, workflow]) => Object.keys(workflow.on));
    assert.deepEqual([...new Set(events)].sort(), [
      "pull_request",
      "push",
      "schedule",
      "workflow_dispatch",
    ]);
    for (const { uses = "", with: inputs } of steps.filter(({ uses }) =>
      uses?.includes("checkout"),
    )) {
      assert.deepEqual(inputs, { "persist-credentials": false }, uses);
    }
  });

  it("give secrets only to steps of this project's commands, behind an environment", () => {
    const given = jobs.filter(([, , job]) => secretsIn(job).length > 0);
    assert.deepEqual(
      given.map(([file, name]) => `${file} ${name}`),
      [
        ...deployed.map(([name]) => `deploy.yml ${name}`),
        "drift.yml drift",
        "pull-request.yml preview",
      ],
    );
    for (const [file, name, job] of given) {
      assert.ok(job.environment, `${file} ${name}`);
      for (const step of job.steps.filter((step) => secretsIn(step).length)) {
        assert.match(step.run ?? "", /^npm run (fleet|check:preview) /);
      }
      // The job itself only learns whether there are any.
      for (const value of Object.values(job.env ?? {})) assert.match(value, / != '' }}$/);
    }
  });

  it("give none to a fork", () => {
    for (const [file, name, job] of jobs.filter(([, , job]) => secretsIn(job).length)) {
      const { on } = Object.fromEntries(workflows)[file];
      if (!("pull_request" in on)) continue;
      assert.match(
        job.if ?? "",
        /github\.event\.pull_request\.head\.repo\.full_name == github\.repository/,
        name,
      );
    }
  });

  it("end: each job has its time, each workflow its turn, and no up is cut off", () => {
    for (const [file, name, job] of jobs) {
      // A deployment ends with a backup, which takes what its database takes.
      const longest = file === "deploy.yml" ? 180 : 60;
      assert.ok((job["timeout-minutes"] ?? 1000) <= longest, `${file} ${name}`);
    }
    for (const [file, { concurrency }] of workflows) {
      const isCut = ["pull-request.yml", "test.yml"].includes(file);
      assert.equal(concurrency?.["cancel-in-progress"], isCut, file);
    }
  });

  it("give a fork the pack's verdict whatever failed before it", () => {
    const { steps } = Object.fromEntries(workflows)["pull-request.yml"].jobs.checks;
    const verdict = steps.find(({ run }) => run?.startsWith("npm run check:offline"));
    assert.equal(verdict?.if, "${{ !cancelled() }}");
  });

  it("deploy every stack of the fleet, one after the other, each with its approval, check and backup", () => {
    const names = fs
      .readdirSync(checkout)
      .map((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1])
      .filter((name) => name !== undefined && name !== "local");
    const order = deployed.map(([name]) => name);
    assert.deepEqual([...order].sort(), names.sort(), "a stack has no job in deploy.yml");
    assert.deepEqual(order.slice(0, 3), ["personal", "yonks", "liberty"]);
    deployed.forEach(([stack, job], i) => {
      assert.equal(job.environment, stack);
      assert.equal(job.needs, order[i - 1], "two jobs need the same one");
      const commands = job.steps.at(-1)!.run!.trim().split("\n");
      assert.deepEqual(commands, [
        `npm run fleet -- up ${stack} --yes`,
        `npm run fleet -- check ${stack}`,
        `npm run fleet -- backup ${stack}`,
      ]);
      // A status function in it would run the job after a failure.
      assert.equal(job.if, "vars.DEPLOY == 'true'");
    });
  });

  it("install the engine that the tests run on", () => {
    const goMod = fs.readFileSync(path.join(checkout, "local/go/pulumi/go.mod"), "utf8");
    const tested = /github\.com\/pulumi\/pulumi\/pkg\/v3 v([\d.]+)/.exec(goMod)?.[1];
    const installed = steps.map(({ with: inputs }) => inputs?.engine).filter(Boolean);
    assert.deepEqual([...new Set(installed)], [tested]);
  });

  it("need what docs/ci.md lists, and nothing else", () => {
    const text = Object.values(texts).join("\n");
    const needed = [...text.matchAll(/\b(?:secrets|vars)\.(\w+)/g)].map(([, name]) => name);
    const page = fs.readFileSync(path.join(checkout, "docs/ci.md"), "utf8");
    const listed = [...page.matchAll(/^\| `([A-Z_]+)` /gm)].map(([, name]) => name);
    assert.deepEqual([...new Set(needed)].sort(), listed.sort());
  });
});
