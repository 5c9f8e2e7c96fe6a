/**
 * Issue 9, section 1: the command itself is ended, by SIGKILL and by SIGINT, at many points of an
 * adoption and at two of an undo, and run again each time. The release is one of Helm 3's, whose
 * field manager also owns what Kubernetes filled in; it has what the chart's defaults lack: a token of
 * its own, the database's user, a second host name, and no PodDisruptionBudget. One site: each run finds
 * what the one before it left.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "mocha";
import { nodeNames } from "../../local/objects";
import { endOrphans, type Live, outputOf, uids } from "../api/harness";
import type { Ending } from "../fleet/bench";
import { drawn, drawnBy } from "../soak";
import { eventually } from "../waits";
import { type AdoptionBench, asReleased, releasedSite } from "./bench";
import { releases } from "./helm";

const HOST = "matomo.local.example.com";
const ALIAS = "stats.local.example.com";
/** Valid, so it is the stack's own from then on: whoever archives with it goes on. */
const TOKEN = randomBytes(16).toString("hex");

/** Before the first change to a pod: three of them, or all in `npm run soak`. */
const BEFORE_BACKUP: Ending[] = drawn(
  [
    { words: "saving", signal: "SIGKILL" },
    { words: "PersistentVolume/", count: 2, signal: "SIGKILL" },
    { words: "writing", signal: "SIGINT" },
    { words: "marking", signal: "SIGKILL" },
    { words: "proven backup", signal: "SIGINT" },
    { words: "proven backup", signal: "SIGKILL" },
  ],
  3,
);
const HANDING_OVER: Ending[] = [{ words: "handing over", count: 7, signal: "SIGKILL" }];
/** Early in the engine's work: what it does is said a moment later, and it must not be at its end by then. */
const DEPLOYING: Ending[] = [
  { words: "preview", signal: "SIGINT" },
  { words: "update ", count: 2, signal: "SIGKILL" },
];
const UNDOING: Ending[] = [
  { words: "putting back", count: 2, signal: "SIGKILL" },
  { words: "putting back", count: 9, signal: "SIGINT" },
];
const AGAIN: Ending[] = [
  { words: "update ", count: 2, signal: "SIGINT" },
  { words: "removing Helm's record", signal: "SIGKILL" },
];

describe(`an interrupted adoption (${drawnBy})`, () => {
  let bench: AdoptionBench;
  let released: Live[];
  let volumes: Awaited<ReturnType<AdoptionBench["volumes"]>>;
  const said: string[] = [];

  before(async () => {
    const values = {
      ...{ domain: HOST, alias: ALIAS, email: "admin@local.example.com" },
      secrets: { databaseUsername: true, archiveToken: TOKEN },
      disruptionBudget: false,
    };
    const config = { "matomo:aliases": [ALIAS] };
    bench = await releasedSite({ stack: "local", values, config, clientSide: true });
    // The way on where no backup was ever wanted, or where its claim was lost: it is deleted.
    await bench.site.kubectl("delete", "pvc", "matomo-backup", "-n", "matomo", "--wait");
    released = await bench.objects();
    volumes = await bench.volumes();
    assert.ok(!released.some(({ kind }) => kind === "PodDisruptionBudget"));
    await assertKept();
    const deployment = released.find(({ kind }) => kind === "Deployment")!;
    const helm = deployment.metadata!.managedFields!.find(({ manager }) => manager === "helm");
    assert.equal(helm?.operation, "Update", "as Helm 3 wrote it");
  });
  after(() => bench?.site.close());

  const isRecord = ({ type }: Live) => type === "helm.sh/release.v1";

  async function assertKept(): Promise<void> {
    const now = uids(await bench.objects());
    const before = uids(released.filter((object) => !isRecord(object)));
    for (const [object, uid] of Object.entries(before)) assert.equal(now[object], uid, object);
    for (const [claim, { uid }] of Object.entries(volumes)) {
      assert.equal((await bench.volumes())[claim].uid, uid, claim);
    }
    const { admin, database, root } = bench.passwords;
    const site = await bench.site.secret("matomo");
    assert.equal(site["matomo-password"], admin);
    assert.equal(site["archive-token"], TOKEN);
    assert.deepEqual(await bench.site.secret("matomo-mariadb"), {
      "mariadb-username": "mariadb-admin",
      "mariadb-password": database,
      "mariadb-root-password": root,
    });
  }

  const helmReleases = () => releases(bench.site.cluster.kubeconfig);

  /** Runs the command; with an ending, it is ended when it says those words. */
  async function adopt(option: "--yes" | "--undo", ending?: Ending) {
    const options = option === "--yes" ? ["--yes"] : ["--undo", "--yes"];
    const words = `local: ${ending?.words}`;
    const end = ending && { ...ending, words };
    const { exitCode, output } = await ended(bench.start(end, "adopt", "local", ...options));
    return { exitCode, output, seen: output.split(words).length - 1 };
  }

  /** How an adoption ended, and all that it said. */
  async function ended(command: ReturnType<AdoptionBench["start"]>) {
    const { exitCode, stdout, stderr } = await command;
    await endOrphans(bench.site.engine.env.PULUMI_HOME!);
    const output = `${String(stderr)}\n${String(stdout)}`;
    said.push(output);
    return { exitCode, output };
  }

  /** The command is ended, and has not ended by itself. */
  async function interrupt(option: "--yes" | "--undo", ending: Ending): Promise<void> {
    const { exitCode, output, seen } = await adopt(option, ending);
    assert.ok(seen >= (ending.count ?? 1), output);
    assert.equal(exitCode, ending.signal === "SIGINT" ? 130 : undefined, output);
    if (ending.signal === "SIGINT") {
      const next =
        /interrupted\. The adoption is neither finished nor undone\. Go on with: npm run/;
      assert.match(output, next);
      const { items } = JSON.parse(await bench.site.kubectl("get", "jobs", "-A", "-o", "json"));
      const names = (items as Live[]).map(({ metadata }) => metadata!.name);
      assert.ok(!names.includes("matomo-adoption"), "its Job is left");
    }
    await assertKept();
  }

  async function succeed(option: "--yes" | "--undo"): Promise<string> {
    const { exitCode, output } = await adopt(option);
    assert.equal(exitCode, 0, output);
    return output;
  }

  async function assertUpRefused(): Promise<void> {
    const result = await bench.site.attempt(["up", "--yes", "--skip-preview"]);
    assert.notEqual(result.exitCode, 0, "an up was let through");
    assert.match(outputOf(result), /nothing was touched.*npm run fleet -- adopt local/is);
  }

  function title({ words, count = 1, signal }: Ending): string {
    return `${signal} at "${words}"${count > 1 ? `, the ${count}th` : ""}`;
  }

  function interruptions(endings: Ending[]): void {
    for (const ending of endings) {
      it(title(ending), async () => {
        await interrupt("--yes", ending);
        // Helm is the one who knows the release until the very end.
        assert.deepEqual(await helmReleases(), ["matomo"]);
      });
    }
  }

  interruptions(BEFORE_BACKUP);

  it("with a backup that fails: no pod is changed, and the job's end is told", async () => {
    const pods = ["-n", "matomo", "-l", "job-name=matomo-adoption"];
    const begun = async () => {
      const { status } = await bench.site.get("job", "matomo-adoption");
      return status.active === 1 && "begun";
    };
    let command: ReturnType<AdoptionBench["start"]> | undefined;
    try {
      // Its pod stays Pending, and a pod that is taken away is a failure.
      await bench.site.kubectl("cordon", ...nodeNames);
      let isOver = false;
      command = bench.start(undefined, "adopt", "local", "--yes");
      void command.then(() => (isOver = true));
      // Ended too early, it says why.
      await eventually("its backup has a pod", () => (isOver ? "over" : begun()), "commandEnds");
      if (!isOver) await bench.site.kubectl("delete", "pod", ...pods);
      const { exitCode, output } = await ended(command);
      assert.equal(exitCode, 1, output);
      assert.match(
        output,
        /no proven backup, so no pod was changed: job matomo-adoption: it failed/,
      );
      assert.match(
        output,
        /Go on with: npm run fleet -- adopt local --yes; go back with: .* --undo/,
      );
    } finally {
      // Before its pod can run; one that is over does not mind.
      command?.kill("SIGKILL");
      await bench.site.kubectl("uncordon", ...nodeNames);
    }
    await assertKept();
    assert.deepEqual(await helmReleases(), ["matomo"]);
    await assertUpRefused();
  });

  interruptions(HANDING_OVER);

  it("half handed over, an up is refused and names the way on", assertUpRefused);

  interruptions(DEPLOYING);

  it("while the killed engine holds its lock, an undo touches nothing and says how to go on", async () => {
    const now = asReleased(await bench.objects());
    const { exitCode, output } = await adopt("--undo");
    assert.equal(exitCode, 1, output);
    assert.match(output, /the stack is currently locked.*pulumi cancel/s);
    assert.deepEqual(asReleased(await bench.objects()), now);
    await bench.site.pulumi(["cancel", "--yes"]);
  });

  for (const ending of UNDOING) {
    it(`undone from half-way: ${title(ending)}`, () => interrupt("--undo", ending));
    if (ending.signal === "SIGKILL") it("no up comes between", assertUpRefused);
  }

  it("and again, to its end: objects, volumes, records and state are what they were", async () => {
    await succeed("--undo");
    await assertKept();
    // The claim that the release did not have holds the backup by now.
    const own = ({ kind, metadata }: Live) =>
      kind !== "PersistentVolumeClaim" || metadata!.name !== "matomo-backup";
    assert.deepEqual(asReleased((await bench.objects()).filter(own)), asReleased(released));
    const { "matomo-backup": backup, ...now } = await bench.volumes();
    assert.ok(backup);
    assert.deepEqual(now, volumes);
    assert.deepEqual(await helmReleases(), ["matomo"]);
    assert.deepEqual(await bench.resources(), []);
  });

  interruptions(AGAIN);

  it("and then goes on to its end", async () => {
    assert.match(await succeed("--yes"), /going on with the adoption that began/);
    assert.deepEqual(await helmReleases(), []);
    await assertKept();
    await bench.site.expectUnchanged();
  });

  it("made the claim that the release did not have, for the backup", async () => {
    assert.equal((await bench.site.get("pvc", "matomo-backup")).status.phase, "Bound");
  });

  it("serves both host names, and has budgets that let a node be drained", async () => {
    const { rules, tls } = (await bench.site.get("ingress", "matomo")).spec;
    assert.deepEqual(rules.map(({ host }: Live) => host).sort(), [HOST, ALIAS]);
    assert.deepEqual([...tls[0].hosts].sort(), [HOST, ALIAS]);
    const budgets = await bench.site.list("pdb");
    assert.deepEqual(
      budgets.map(({ metadata, spec }) => [metadata!.name, spec.maxUnavailable]),
      [
        ["matomo", 1],
        ["matomo-mariadb", 1],
      ],
    );
  });

  it("did its work once: a proven backup was not made again", () => {
    const backups = said.filter((output) => output.includes("local: proven backup"));
    const cut = BEFORE_BACKUP.filter(({ words }) => words === "proven backup");
    // Interrupted, killed; failed, made; after the undo made anew, and found fresh from then on.
    assert.equal(backups.length, cut.length + 3);
  });

  it("printed no password", () => {
    for (const value of [...Object.values(bench.passwords), TOKEN]) {
      assert.ok(!said.join("\n").includes(value));
    }
  });
});
