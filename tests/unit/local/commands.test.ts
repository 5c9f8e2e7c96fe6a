/** The small parts of npm start and its companions. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ExecaError } from "execa";
import { stringify } from "yaml";
import { ownCluster, ownKubeconfig } from "../../../local/deployment";
import { UserError, runCommand } from "../../../local/errors";
import { goEnvironment } from "../../../local/go";
import {
  cacheFolder,
  contextStateFolder,
  defaultStateFolder,
  localContext,
} from "../../../local/paths";
import { elapsedReport } from "../../../local/progress";

describe("local commands", () => {
  it("keep what they build where the user's caches are", () => {
    assert.equal(cacheFolder({ XDG_CACHE_HOME: "/caches" }), "/caches/matomo-fleet");
    assert.match(cacheFolder({}), /\/\.cache\/matomo-fleet$/);
  });

  it("keep each context's state in one folder, whatever its name", () => {
    const folders = ["a", "b", "../a", "do-nyc1/x"].map(contextStateFolder);
    assert.equal(new Set(folders).size, 4);
    assert.equal(new Set(folders.map((folder) => path.dirname(folder))).size, 1);
  });

  it("build the same whatever the shell's Go settings are", () => {
    const env = goEnvironment({
      GOOS: "plan9",
      GOFLAGS: "-race",
      GOPROXY: "https://proxy.example",
    });
    assert.equal(env.GOOS, undefined);
    assert.equal(env.CGO_ENABLED, "0");
    assert.doesNotMatch(env.GOFLAGS!, /race/);
    assert.equal(env.GOPROXY, "https://proxy.example");
  });

  it("say where a kubeconfig was looked for, and which contexts it has", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "kubeconfig-"));
    try {
      const file = path.join(folder, "config");
      const env = { KUBECONFIG: file };
      assert.throws(() => ownKubeconfig("a", env), {
        message: `--context: found no kubeconfig at ${file}; set KUBECONFIG to one file that has the context`,
      });
      fs.writeFileSync(file, "contexts: [{ name: a }, { name: b }]");
      assert.equal(ownKubeconfig("a", env), file);
      assert.throws(() => ownKubeconfig("c", env), {
        message: `--context: found "c"; allowed: a context of ${file}: a, b`,
      });
      fs.writeFileSync(file, "");
      assert.throws(() => ownKubeconfig("c", env), /allowed: a context of .*: it has none$/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  describe("follow the cluster that the stack `local` is bound to", () => {
    let project: string;
    const own = { context: "mine", kubeconfig: "own.yaml" };
    const embedded = {
      context: localContext,
      kubeconfig: path.join(defaultStateFolder, "kubeconfig"),
    };
    const bind = (cluster: object) =>
      fs.writeFileSync(
        path.join(project, "Pulumi.local.yaml"),
        stringify({ config: { "matomo:cluster": cluster } }),
      );

    beforeEach(() => {
      project = fs.mkdtempSync(path.join(os.tmpdir(), "project-"));
      fs.writeFileSync(path.join(project, "own.yaml"), "contexts: [{ name: mine }]");
    });
    afterEach(() => fs.rmSync(project, { recursive: true }));

    it("which is the embedded one, as the checkout has it", () => {
      assert.equal(ownCluster(undefined), undefined);
      assert.equal(ownCluster(undefined, project), undefined, "no file at all");
      bind(embedded);
      assert.equal(ownCluster(undefined, project), undefined);
    });

    it("or another one, of the project's own file or of kubectl's", () => {
      const kubeconfig = path.join(project, "own.yaml");
      bind(own);
      assert.deepEqual(ownCluster(undefined, project), { context: "mine", kubeconfig });
      bind({ context: "mine", kubeconfig });
      assert.deepEqual(ownCluster(undefined, project), { context: "mine", kubeconfig });
    });

    it("by its file too: another cluster may have the embedded one's context", () => {
      fs.writeFileSync(path.join(project, "own.yaml"), `contexts: [{ name: ${localContext} }]`);
      bind({ ...own, context: localContext });
      assert.ok(ownCluster(undefined, project));
    });

    it("and say before anything is built what is not there", () => {
      const refused = (cluster: object, message: RegExp) => {
        bind(cluster);
        assert.throws(
          () => ownCluster(undefined, project),
          (error: Error) => error instanceof UserError && message.test(error.message),
        );
      };
      refused(
        { ...own, context: "m" },
        /^matomo:cluster of Pulumi\.local\.yaml: found "m"; .*: mine$/,
      );
      refused({ ...own, kubeconfig: "no.yaml" }, /: found no kubeconfig at .*no\.yaml$/);
      refused({ ...embedded, context: "m" }, /^matomo:cluster of Pulumi\.local\.yaml: found /);
      refused({ doks: "shop" }, /: found \{"doks":"shop"\}; allowed here: \{"context"/);
    });
  });

  it("show every line on a terminal and only prose elsewhere", () => {
    const lines = ["downloading x", "k8s.io/api/core/v1", "etcd", "cmd/internal/obj: note"];
    const shown = (terminal: boolean) => {
      const task = { output: "" };
      const report = elapsedReport(task, terminal);
      return lines.filter((line) => {
        task.output = "";
        report(line);
        return task.output !== "";
      });
    };
    assert.deepEqual(shown(true), lines);
    assert.deepEqual(shown(false), ["downloading x", "cmd/internal/obj: note"]);
  });

  it("end with the reason and a code, not with a stack trace", async () => {
    const printed: string[] = [];
    const { error } = console;
    console.error = (text: string) => printed.push(text);
    try {
      runCommand(() => Promise.reject(new UserError("No Go on PATH")));
      await Promise.resolve();
      assert.equal(process.exitCode, 1);
      const failure = Object.assign(Object.create(ExecaError.prototype), {
        shortMessage: "pulumi failed",
        exitCode: 255,
      });
      runCommand(() => Promise.reject(failure));
      await Promise.resolve();
      assert.equal(process.exitCode, 255);
      assert.deepEqual(printed, ["\nNo Go on PATH", "\npulumi failed"]);
    } finally {
      console.error = error;
      process.exitCode = undefined;
    }
  });
});
