/**
 * Defects: the good stack with one thing broken. Exactly the rule that should fires, on the object
 * that is at fault, and nothing else does. The run prints operator × kind × slot with its counts.
 */
import assert from "node:assert/strict";
import type { RawResource } from "../../../policy/core/objects";
import { workloadOf, Workload, Container } from "../../../policy/core/workloads";
import { KubeObject } from "../../../policy/core/objects";
import { rules } from "../../../policy/rules";
import { get } from "../support/edit";
import { change } from "../support/objects";
import { goodStack } from "./good";
import { judge } from "./judge";
import { containerOperators, Operator, podOperators } from "./operators";
import { stackOperators } from "./stack-operators";
import { KINDS, Tally } from "./tally";

interface Defect {
  operator: string;
  rule: string;
  kind: string;
  slot: string;
  told: string;
  stack: RawResource[];
}

const nameOf = (raw: RawResource) => `${raw.type.split(":").at(-1)} ${raw.urn.split("::").at(-1)}`;

function withChanged(stack: RawResource[], from: RawResource, to: RawResource | undefined) {
  return stack.flatMap((raw) => (raw === from ? (to ?? []) : raw));
}

/** Where the operator leaves an object that breaks another rule too, or nothing. */
function applies(operator: Operator, workload: Workload, name: string): boolean {
  const mounts = operator.rule === "rwo-volume-not-shared";
  const bound = operator.rule === "token-only-where-bound" && /report|matomo-backup/.test(name);
  const own = ["CronJob matomo-archive", "Deployment files", "StatefulSet cache", "Deployment api"];
  const elsewhere = workload.object.namespace() !== "tools" || own.includes(name);
  const alone = operator.path === "metadata.labels" && workload.kind === "Pod";
  return !bound && !(mounts && elsewhere) && !alone;
}

function* templateDefects(stack: RawResource[]): Generator<Defect> {
  for (const raw of stack) {
    const workload = workloadOf(new KubeObject(raw));
    if (!workload) {
      continue;
    }
    const name = nameOf(raw);
    const defect = (operator: Operator, slot: string, path: string): Defect => ({
      operator: operator.name,
      rule: operator.rule,
      kind: workload.kind,
      slot,
      told: name,
      stack: withChanged(stack, raw, change(raw, closed(raw, path), operator.value)),
    });
    const template = workload.spec.path.replace(/\.?spec$/, "");
    const below = (path: string) => (template === "" ? path : `${template}.${path}`);
    for (const operator of podOperators.filter((o) => applies(o, workload, name))) {
      yield defect(operator, "pod", below(operator.path));
    }
    for (const container of containersOf(workload)) {
      const slot = container.slot();
      for (const operator of containerOperators) {
        if (!operator.slots || operator.slots.includes(slot)) {
          yield defect(operator, slot, `${container.view.path}.${operator.path}`);
        }
      }
    }
  }
}

function containersOf(workload: Workload): Container[] {
  return [...workload.initContainers(), ...workload.mainContainers()];
}

/** `[9]` stands for one more than there are. */
function closed(raw: RawResource, path: string): string {
  return path.replace(/^(.*)\[[19]?9\]/, (_, list) => {
    const there = get(raw.props, list) as unknown[] | undefined;
    return `${list}[${there?.length ?? 0}]`;
  });
}

function* stackDefects(stack: RawResource[]): Generator<Defect> {
  for (const { name, rule, on, path, value, edit, add, told } of stackOperators) {
    const target = stack.find((raw) => nameOf(raw) === on);
    assert.ok(target ?? add, `the good stack has no ${on}`);
    const changed = target && (edit ? edit(target) : change(target, closed(target, path!), value));
    yield {
      operator: name,
      rule,
      kind: (add ? nameOf(add) : on).split(" ")[0],
      slot: "object",
      told: told ?? (add ? nameOf(add) : on),
      stack: add ? [...stack, add] : withChanged(stack, target!, changed),
    };
  }
}

describe("defects", () => {
  const tally = new Tally();
  let stack: RawResource[];

  before(async () => {
    stack = await goodStack();
  });

  after(() => tally.print());

  it("the good stack is silent", () => {
    assert.deepEqual(judge(stack), []);
  });

  it("each is told by the rule that should, on the object at fault, and by nothing else", () => {
    const wrong: string[] = [];
    for (const defect of [...templateDefects(stack), ...stackDefects(stack)]) {
      const found = judge(defect.stack);
      const told = [
        ...new Set(found.map((f) => `${f.rule} on ${nameOf({ ...f, ...typed(f.urn) })}`)),
      ];
      const wanted = `${defect.rule} on ${defect.told}`;
      tally.count(defect, told.includes(wanted), told.filter((t) => t !== wanted).length);
      if (told.length !== 1 || told[0] !== wanted) {
        wrong.push(
          `${defect.operator} (${defect.slot}): ${wanted}, but ${told.join(", ") || "silence"}`,
        );
      }
    }
    assert.deepEqual(wrong, []);
    assert.ok(tally.total >= 300, `${tally.total} defects`);
  });

  it("every operator of pod templates met every kind and slot", () => {
    assert.deepEqual(
      [...cells()].filter((cell) => !tally.has(...cell)),
      [],
    );
  });

  it("every rule has its defects", () => {
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !tally.rules().includes(name)),
      [],
    );
  });
});

/** What an operator of pod templates has to be applied to: every kind, and each slot of its own. */
function* cells(): Generator<[operator: string, kind: string, slot: string]> {
  for (const kind of KINDS) {
    for (const { name } of podOperators) {
      yield [name, kind, "pod"];
    }
    for (const { name, slots = ["init", "main", "sidecar"] } of containerOperators) {
      for (const slot of slots) {
        yield [name, kind, slot];
      }
    }
  }
}

/** A URN's type, in the form that nameOf reads. */
function typed(urn: string): RawResource {
  return { type: urn.split("::").at(-2)!, name: "", urn, props: {} };
}
