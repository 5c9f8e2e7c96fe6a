/** The pull request's comment: what it says, that it is quoted, and that it fits. */
import assert from "node:assert/strict";
import { MARKER, MAX_LENGTH, renderComment } from "../../../fleet/checks/comment";
import type { Change, StackReport, Violation } from "../../../fleet/checks/report";

const stack = (name: string, more: Partial<StackReport> = {}): StackReport => ({
  stack: name,
  by: "preview",
  objects: 50,
  changes: [],
  violations: [],
  warnings: [],
  ...more,
});

const change = (op: Change["op"], object: string, more: Partial<Change> = {}): Change => ({
  op,
  object,
  urn: `urn:${object}`,
  differs: [],
  replacedFor: [],
  holdsData: false,
  ...more,
});

const violation: Violation = {
  rule: "rwo-workload-recreates",
  level: "mandatory",
  message: "Deployment matomo/matomo: spec.strategy: RollingUpdate. Set strategy.type to Recreate.",
  url: "https://example.com/why",
};

const comment = (...stacks: StackReport[]) => renderComment({ stacks });
const lineOf = (text: string, start: string) =>
  text.split("\n").find((line) => line.startsWith(start)) ?? "";

describe("the comment", () => {
  it("begins with its marker and has a row of counts for each stack", () => {
    const text = comment(
      stack("personal"),
      stack("yonks", {
        changes: [
          change("create", "ConfigMap a"),
          change("update", "Deployment b"),
          change("update", "Deployment c"),
        ],
      }),
    );
    assert.ok(text.startsWith(`${MARKER}\n`));
    assert.equal(lineOf(text, "| personal"), "| personal | ✅ | 0 | 0 | 0 | 0 | 0 |");
    assert.equal(lineOf(text, "| yonks"), "| yonks | ✅ | 1 | 2 | 0 | 0 | 0 |");
    assert.doesNotMatch(text, /<summary>personal/, "nothing to unfold where nothing changes");
  });

  it("has each warning of the program once, with the stacks that it is about", () => {
    const warnings = ["matomo:storage.backup: found `20Gi`, too small"];
    const text = comment(
      stack("yonks", { warnings }),
      stack("personal"),
      stack("liberty", { warnings }),
    );
    const line = lineOf(text, "- yonks, liberty: ");
    assert.match(line, /matomo:storage\.backup/);
    assert.equal(text.split("matomo:storage").length, 2);
    assert.equal(lineOf(text, "| yonks"), "| yonks | ✅ | 0 | 0 | 0 | 0 | 0 |");
    assert.doesNotMatch(comment(stack("personal")), /Warnings/);
  });

  for (const op of ["replace", "delete"] as const) {
    it(`shows a ${op} of something that holds data in bold, unfolded, with its reason`, () => {
      const claim = change(op, "PersistentVolumeClaim matomo/data", {
        holdsData: true,
        differs: ["spec.resources"],
        replacedFor: op === "replace" ? ["spec.accessModes[0]"] : [],
      });
      const text = comment(stack("liberty", { changes: [claim, change(op, "Service web")] }));
      const reason = op === "replace" ? "spec.accessModes[0]" : "spec.resources";
      const line = `**${op} PersistentVolumeClaim matomo/data**: \`${reason}\``;
      assert.ok(text.split("<details>")[0].includes(`- liberty: ${line}`), text);
      assert.match(lineOf(text, "| liberty"), /⚠️ look at the data .*\*\*2\*\*/);
      assert.doesNotMatch(text, new RegExp(`\\*\\*${op} Service`));
    });
  }

  it("does not cry for an update of something that holds data", () => {
    const changes = [change("update", "Secret matomo/matomo", { holdsData: true })];
    const text = comment(stack("liberty", { changes }));
    assert.doesNotMatch(text, /Data at risk|⚠️|\*\*/);
  });

  it("says a violation once for all stacks that have it, with its fix", () => {
    const text = comment(
      stack("liberty", { violations: [violation] }),
      stack("yonks", { violations: [violation, { ...violation, level: "advisory" }] }),
    );
    assert.equal(
      lineOf(text, "- liberty, yonks"),
      "- liberty, yonks: **`rwo-workload-recreates`** (mandatory): Deployment matomo/matomo: " +
        "spec.strategy: RollingUpdate. Set strategy.type to Recreate. " +
        "[Why](https://example.com/why)",
    );
    assert.match(lineOf(text, "- yonks"), /^- yonks: `rwo-workload-recreates` \(advisory\)/);
    assert.match(lineOf(text, "| liberty"), /❌ blocked by the policy pack/);
  });

  it("does not call a stack fine that could not be judged", () => {
    const text = comment(stack("liberty", { error: "no such cluster" }));
    assert.match(lineOf(text, "| liberty"), /❌ failed/);
    assert.match(text, /```text\nno such cluster\n```/);
    assert.match(text, /may not have seen every change/);
  });

  it("claims no counts for what was only rendered", () => {
    const text = comment(stack("liberty", { by: "rendered" }));
    assert.equal(lineOf(text, "| liberty"), "| liberty | ✅ | – | – | – | – | 0 |");
    assert.match(text, /by the rendered objects alone, without a cluster: liberty/);
  });

  it("takes nothing that a pull request wrote as markup", () => {
    const evil = "<img src=x> @everyone **bold** [link](http://x) | `tick` </details>";
    const text = comment(
      stack("liberty", {
        changes: [change("update", evil, { differs: ["a`b|c"] })],
        violations: [{ ...violation, message: evil }],
        error: "```\n</details>\n@everyone",
      }),
    );
    const [outside, fenced] = text.split("````");
    assert.doesNotMatch(outside, /<img|@everyone|\*\*bold|\[link\]/);
    assert.match(fenced, /^text\n```\n<\/details>\n@everyone\n$/, "quoted as it is");
    assert.equal(text.split("\n").filter((line) => line === "</details>").length, 2);
    assert.match(text, /`a b c`/);
  });

  it("fits into what GitHub takes, and keeps table and risks when lists are cut", () => {
    const many = (n: number) =>
      Array.from({ length: n }, (_, i) =>
        change("create", `ConfigMap c${i}`, { differs: Array(50).fill("spec.a.very.long.path") }),
      );
    const claim = change("delete", "PersistentVolumeClaim matomo/data", { holdsData: true });
    const names = ["liberty", "personal", "yonks"];
    const text = comment(...names.map((name) => stack(name, { changes: [...many(2000), claim] })));
    assert.ok(text.length <= MAX_LENGTH, `${text.length}`);
    for (const name of names) {
      assert.match(lineOf(text, `| ${name}`), /\| 2000 \| 0 \| 0 \| \*\*1\*\* \| 0 \|$/);
      assert.match(text, new RegExp(`- ${name}: \\*\\*delete PersistentVolumeClaim`));
    }
    assert.match(text, /- and \d+ more/);
  });

  it("fits even when one message alone does not", () => {
    const violations = Array.from({ length: 3 }, (_, i) => ({
      ...violation,
      message: `${i} ${"long ".repeat(20_000)}`,
    }));
    const error = "line\n".repeat(50_000);
    const text = comment(...["a", "b"].map((name) => stack(name, { violations, error })));
    assert.ok(text.length <= MAX_LENGTH, `${text.length}`);
    assert.ok(text.startsWith(MARKER));
    const stacks = Array.from({ length: 3000 }, (_, i) => stack(`a-stack-of-many-${i}`));
    const table = comment(...stacks);
    assert.ok(table.length <= MAX_LENGTH);
    assert.match(table, /The rest does not fit/);
  });
});
