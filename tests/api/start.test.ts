/**
 * `npm start` from a fresh checkout to a deployed site, a second one that changes nothing, `npm stop`
 * that leaves no process and `npm run clean` that leaves no state: the commands as a person runs them.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { clusterStatus } from "../../local/cluster";
import { localContext } from "../../local/paths";
import { copyCheckout } from "../checkout-copy";
import { whenSaid } from "../said";
import { endCluster, ownCluster } from "./clusters";

const checkout = path.resolve(__dirname, "../..");

describe("npm start", () => {
  let folder: string;
  let copy: string;
  /** A person's own, where there is one. */
  let kubeconfig: string | undefined;

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "npm-start-"));
    copy = path.join(folder, "checkout");
    await copyCheckout(copy);
    // An npm that "installs" the libraries of this checkout, and logs that it was asked.
    const script = [
      "#!/bin/sh",
      `echo "$@" >>${folder}/npm-calls`,
      `ln -sfn ${checkout}/node_modules ${copy}/node_modules`,
    ].join("\n");
    fs.mkdirSync(path.join(folder, "bin"));
    fs.writeFileSync(path.join(folder, "bin", "npm"), script, { mode: 0o755 });
  });

  after(async () => {
    // By what a start left, wherever it was when it was given up.
    if (copy) await endCluster(path.join(copy, ".local"));
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const env = () => ({
    PATH: `${folder}/bin:${process.env.PATH}`,
    CI: "true",
    KUBECONFIG: kubeconfig,
  });

  const run = async (script: string, ...args: string[]) => {
    const node = script.endsWith(".ts") ? ["--import", "tsx"] : [];
    const options = { cwd: copy, env: env(), all: true, reject: false } as const;
    const { all, exitCode } = await execa("node", [...node, script, ...args], options);
    assert.equal(exitCode, 0, all);
    return { text: all };
  };

  /** Processes whose command line names the copy. */
  const processes = () =>
    fs
      .readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map((pid) => {
        try {
          return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        } catch {
          return ""; // It ended since the folder was read.
        }
      })
      .filter((command) => command.includes(copy));

  it("can be interrupted", async () => {
    const options = { cwd: copy, env: env(), all: true, reject: false, detached: true } as const;
    const start = execa("node", ["local/start.mjs", "--simulated"], options);
    // What a terminal does at Ctrl-C: to the whole group. A second one would end it at once.
    whenSaid(start.all, "Namespace namespace created", () => process.kill(-start.pid!, "SIGINT"));
    const { exitCode, all } = await start;
    assert.equal(exitCode, 1, all);
    assert.match(all, /npm start goes on from there/);
  });

  it("installs, starts and deploys", async () => {
    const { text } = await run("local/start.mjs", "--simulated");
    assert.equal(fs.readFileSync(`${folder}/npm-calls`, "utf8"), "ci --no-audit --no-fund\n");
    assert.match(text, /✔ Embedded cluster/);
    assert.match(text, /https:\/\/matomo\.local\.example\.com\//);
    assert.match(text, /What to try next/);
    const status = clusterStatus(path.join(copy, ".local"));
    const running = Object.keys(status).filter((name) => status[name] !== undefined);
    const expected = ["cloud", "etcd", "kube-apiserver", "kube-controller-manager"];
    assert.deepEqual(running.sort(), [...expected, "kube-scheduler", "kwok"]);
  });

  it("changes nothing the second time", async () => {
    const before = clusterStatus(path.join(copy, ".local"));
    const { text } = await run("local/start.mjs", "--simulated");
    assert.match(text, /Resources:\n +\d+ unchanged\n/);
    assert.deepEqual(clusterStatus(path.join(copy, ".local")), before);
    assert.equal(fs.readFileSync(`${folder}/npm-calls`, "utf8").split("\n").length, 2);
  });

  it("gives kubectl and pulumi on what it made", async () => {
    const pods = await run("local/run.ts", "kubectl", "-n", "matomo", "get", "pods", "-o", "name");
    assert.match(pods.text, /pod\/matomo-mariadb-0/);
    const output = await run("local/run.ts", "pulumi", "-s", "local", "stack", "output", "url");
    assert.match(output.text, /matomo\.local\.example\.com/);
  });

  it("keeps the checkout as it was", async () => {
    const files = fs.readdirSync(copy).filter((name) => /^Pulumi\./.test(name));
    for (const file of files) {
      const [made, original] = [copy, checkout].map((base) =>
        fs.readFileSync(path.join(base, file), "utf8"),
      );
      assert.equal(made, original, file);
    }
  });

  it("is ended by npm stop without a process left, and comes back with its data", async () => {
    const { text } = await run("local/stop.ts");
    assert.match(text, /^Stopped cloud, kwok, .*etcd\.$/);
    assert.deepEqual(processes(), []);
    assert.match((await run("local/stop.ts")).text, /^Nothing was running\.$/);
    assert.match(
      (await run("local/start.mjs", "--simulated")).text,
      /Resources:\n +\d+ unchanged\n/,
    );
  });

  it("is removed by npm run clean, running or not", async () => {
    await run("local/clean.ts");
    assert.deepEqual(processes(), []);
    assert.equal(fs.existsSync(path.join(copy, ".local")), false);
  });

  it("deploys to a context of a person's own kubeconfig, with no cluster of its own", async () => {
    const own = await ownCluster("npm-start-own");
    ({ kubeconfig } = own.cluster);
    try {
      const context = ["--context", localContext];
      const { text } = await run("local/start.mjs", ...context);
      assert.doesNotMatch(text, /Embedded cluster/);
      assert.match(text, /What to try next/);
      const get = ["get", "pods", "-n", "matomo", "-o", "name"];
      const pods = await run("local/run.ts", "kubectl", ...context, ...get);
      assert.match(pods.text, /pod\/matomo-mariadb-0/);
      assert.match((await run("local/stop.ts")).text, /^Nothing was running\.$/);
    } finally {
      await endCluster(own.folder);
    }
  });
});
