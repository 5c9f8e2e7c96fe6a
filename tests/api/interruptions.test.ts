/**
 * The engine is killed at ten points of an `up` (at three of them, drawn, in the short form), the API
 * server at three. The next `up`, after `pulumi cancel`, converges, nothing is made twice, no password is
 * made anew, and what the killed runs left behind is in no later change's way (ownership.ts).
 *
 * Each killed `up` goes on where the one before it was killed, so that the ten points are spread
 * over one way from nothing to a site.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "mocha";
import { execa } from "execa";
import { crash, startCluster } from "../../local/cluster";
import { checkout } from "../../local/paths";
import { drawn } from "../soak";
import { endOrphans, neverDue, newSite, outputOf, type Site } from "./harness";

/**
 * Where the engine is killed: after which part of what is left each time. The first three come while
 * passwords, identities and the namespace are made; the others are spread over the rest, of which half is
 * left at the last.
 */
const KILLS = [1 / 32, 1 / 13, 1 / 7, 1 / 8, 1 / 7, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2];
/** How many of these come before the API server is killed under the first objects. */
const EARLY = 3;
/** Where the API server is killed: the first time on the way up, then during a change. */
const CRASHES = [1 / 4, 1 / 8, 1 / 2];
/** A line of `pulumi up` about a step that began or ended. */
const STEP = /^ [+~] .+ (creating|created|updating|updated) \(/;
/** Such lines of one step: where it is done in no time, the first may be missing. Half of all come surely. */
const LINES = 2;

/** Runs an `up` and calls back, once, when it has printed so many of them; its output when it ended. */
async function upInterrupted(
  site: Site,
  count: number,
  config: Record<string, unknown>,
  interrupt: (engine: number) => Promise<void> | void,
): Promise<{ interrupted: boolean; output: string }> {
  const file = await site.engine.stackFile(site.stack, { ...site.config, ...config });
  const args = ["up", "--yes", "--skip-preview", "--stack", site.stack, "--config-file", file];
  const options = { cwd: checkout, env: site.engine.env, extendEnv: false, detached: true };
  const engine = execa("pulumi", args, { ...options, reject: false, all: true });
  const lines: string[] = [];
  let seen = 0;
  let interrupted: Promise<void> | undefined;
  for await (const line of createInterface({ input: engine.all })) {
    lines.push(line);
    if (STEP.test(line) && ++seen === count) {
      interrupted = Promise.resolve(engine.pid!).then(interrupt);
      // It is awaited when the engine has ended.
      interrupted.catch(() => undefined);
    }
  }
  await engine;
  await interrupted;
  await endOrphans(site.engine.env.PULUMI_HOME!);
  return { interrupted: interrupted !== undefined, output: lines.join("\n") };
}

interface StateEntry {
  urn: string;
  type: string;
  dependencies?: string[];
  propertyDependencies?: Record<string, string[] | null>;
}

/** Takes all Kubernetes objects but the namespace out of the state, as if each had been the last. */
async function forget(site: Site): Promise<void> {
  const state = JSON.parse(await site.state());
  const resources = state.deployment.resources as StateEntry[];
  const isForgotten = ({ type }: StateEntry) =>
    type.startsWith("kubernetes:") && !type.endsWith(":Namespace");
  const forgotten = resources.filter(isForgotten).map(({ urn }) => urn);
  assert.ok(forgotten.length > 25);
  const known = (urns: string[] | null | undefined) =>
    urns?.filter((urn) => !forgotten.includes(urn));
  state.deployment.resources = resources
    .filter((entry) => !isForgotten(entry))
    .map((entry) => ({
      ...entry,
      dependencies: known(entry.dependencies),
      propertyDependencies: Object.fromEntries(
        Object.entries(entry.propertyDependencies ?? {}).map(([key, urns]) => [key, known(urns)]),
      ),
    }));
  const file = path.join(site.folder, "forgotten.json");
  await fs.writeFile(file, JSON.stringify(state), { mode: 0o600 });
  await site.pulumi(["stack", "import", "--file", file]);
}

/** Fails when an object of the site was made more than once in the life of its cluster. */
async function assertMadeOnce(site: Site): Promise<void> {
  const made: Record<string, number> = {};
  for (const { objectRef, responseStatus, requestURI } of await site.requests()) {
    if (responseStatus?.code !== 201 || !objectRef || requestURI.includes("dryRun")) continue;
    if (objectRef.namespace !== "matomo" && objectRef.name !== "matomo") continue;
    const title = `${objectRef.resource}/${objectRef.name}`;
    made[title] = (made[title] ?? 0) + 1;
  }
  assert.ok(Object.keys(made).length > 25, JSON.stringify(made));
  assert.deepEqual(
    Object.entries(made).filter(([, times]) => times > 1),
    [],
  );
}

describe("interruptions", () => {
  let site: Site;
  /** By Secret and key, as they were first seen. */
  let passwords: Record<string, string> = {};

  before(async () => {
    site = await newSite("personal");
  });
  after(() => site?.close());

  /** As a person would: the lock of the killed run is taken away. */
  async function cancel(): Promise<void> {
    await site.pulumi(["cancel", "--yes"]);
  }

  /** How many lines are such a part of those that an `up` will print about its steps. */
  async function lines(part: number): Promise<number> {
    const { length } = await site.preview();
    assert.ok(length > 1, `${length} steps are left`);
    return Math.ceil(part * length * LINES);
  }

  /** Notes each password when its Secret is first there. */
  async function takeStock(): Promise<void> {
    for (const { metadata } of await site.list("secret")) {
      const { name, managedFields } = metadata!;
      const isOurs = managedFields?.some(({ manager }) => manager?.startsWith("pulumi-kubernetes"));
      for (const [key, value] of Object.entries(isOurs ? await site.secret(name!) : {})) {
        passwords[`${name}/${key}`] ??= value;
      }
    }
  }

  const kills = drawn([...KILLS.entries()], 3);
  const underObjects = kills.find(([i]) => i >= EARLY) ?? kills.at(-1)!;
  for (const kill of kills) {
    const [i, part] = kill;
    const all = i % 2 === 1;
    if (kill === underObjects) {
      it("the API server is killed under the first objects", async () => {
        const count = await lines(CRASHES[0]);
        const { interrupted, output } = await upInterrupted(site, count, {}, async () => {
          await crash(site.folder, "kube-apiserver");
        });
        assert.ok(interrupted, output);
        await startCluster(site.folder);
        await takeStock();
      });
    }
    it(`the engine is killed, ${i + 1} of ${KILLS.length}${all ? ", with all that it started" : ""}`, async () => {
      const count = await lines(part);
      const end = (engine: number) => void process.kill(all ? -engine : engine, "SIGKILL");
      const { interrupted, output } = await upInterrupted(site, count, {}, end);
      assert.ok(interrupted, output);
      assert.doesNotMatch(output, /Resources:/);
      await cancel();
      await takeStock();
    });
  }

  it("the next up converges", async () => {
    await site.up();
    await site.expectUnchanged();
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(await site.passwords()).filter(([key]) => key in passwords),
      ),
      Object.fromEntries(Object.entries(passwords).filter(([key]) => /password|token/.test(key))),
    );
    passwords = await site.passwords();
  });

  it("nothing was made twice", async () => {
    await assertMadeOnce(site);
    const volumes = JSON.parse(await site.kubectl("get", "pv", "-o", "json")).items;
    assert.equal(volumes.length, 3);
  });

  it("objects that a killed run made and did not write down are in no later change's way", async () => {
    await forget(site);
    site.config = {
      ...site.config,
      "matomo:domain": "other.example.org",
      "matomo:email": "other@example.org",
      "matomo:matomo": { memory: "2Gi", workers: 8 },
      "matomo:mariadb": { memory: "2Gi" },
      "matomo:storage": { data: "11Gi", database: "9Gi", backup: "21Gi" },
      "matomo:egress": { geoip: false },
      "matomo:archive": { schedule: neverDue()["matomo:backup"].schedule },
      "matomo:backup": { schedule: neverDue()["matomo:archive"].schedule },
    };
    await site.up();
    await site.expectUnchanged();
    assert.equal((await site.secret("matomo"))["matomo-email"], "other@example.org");
    assert.deepEqual(await site.passwords(), passwords);
  });

  for (const [i, part] of CRASHES.entries()) {
    if (i === 0) continue;
    it(`the API server is killed during a change, ${i + 1} of ${CRASHES.length}; the next up converges`, async () => {
      site.config = {
        ...site.config,
        "matomo:email": `changed-${i}@example.org`,
        "matomo:website": { name: `Website ${i}` },
        "matomo:matomo": { memory: "2Gi", workers: 5 + i },
      };
      const count = await lines(part);
      const { interrupted, output } = await upInterrupted(site, count, {}, async () => {
        await crash(site.folder, "kube-apiserver");
        await startCluster(site.folder);
      });
      assert.ok(interrupted, output);
      const { exitCode, ...result } = await site.attempt(["up", "--yes", "--skip-preview"]);
      assert.equal(exitCode, 0, outputOf(result));
      await site.expectUnchanged();
      assert.deepEqual(await site.passwords(), passwords);
    });
  }

  it("and nothing was made a second time since", () => assertMadeOnce(site));
});
