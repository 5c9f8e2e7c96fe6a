/**
 * Unknown mutants: every leaf and every inner node of every object in turn is not known yet, marked
 * and proxied as the SDK does it. No rule crashes; none stays silent where it would speak if the
 * value turned out badly; none says that something is wrong; and what is wrong elsewhere is told
 * as before.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { RawResource } from "../../../policy/core/objects";
import type { Finding, Rule } from "../../../policy/core/rule";
import { rules } from "../../../policy/rules";
import { drawn, drawnBy } from "../../soak";
import { get, places, set } from "../support/edit";
import { change, COMPONENT, kube, podSpec } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";
import { smallStack } from "./good";
import { judge } from "./judge";

/** What a value may turn out to be, by what the good stack has there; some break a rule somewhere. */
const COMPLETIONS: Record<string, unknown[]> = {
  string: [
    undefined,
    "",
    "x",
    "0",
    "Allow",
    "Delete",
    "Ingress",
    "RollingUpdate",
    "Unconfined",
    "app:latest",
    "files",
    "mysql://a:hunter2@db/x",
    "memory_limit = 9G",
  ],
  number: [undefined, 0, 2, 99],
  boolean: [undefined, true, false],
  list: [
    undefined,
    [],
    [{}],
    ["SYS_ADMIN"],
    [{ name: "v", persistentVolumeClaim: { claimName: "files" } }],
    [{ podSelector: {} }],
  ],
  object: [
    undefined,
    {},
    { hostPath: {} },
    { type: "Unconfined" },
    { [COMPONENT]: "wbe" },
    { matchLabels: { a: "b" } },
    { matchLabels: { [COMPONENT]: "wbe" } },
    { password: "hunter2" },
  ],
};

const kindOf = (value: unknown) => (Array.isArray(value) ? "list" : typeof value);

/** Objects in a namespace of their own that break rules, to be told whatever is unknown elsewhere. */
const BAD: RawResource[] = [
  kube("v1", "Pod", "bad", {
    spec: podSpec({ hostPID: true }),
  }),
  kube("v1", "Service", "bad", { spec: { selector: { [COMPONENT]: "gone" } } }),
  kube("v1", "PersistentVolumeClaim", "bad", { spec: {} }),
].map((raw) => change(raw, "metadata.namespace", "bad"));

/** Pulumi's type holds both, and is always known. */
const IN_THE_TYPE = /^(apiVersion|kind)$/;

/** An object of unknown namespace may be the bad objects' neighbour. */
const NAMESPACE = /^metadata(\.namespace)?$/;

const isBad = ({ urn }: { urn: string }) => urn.endsWith("::bad");

/**
 * A claim whose modes are not known counts as RWO, and so does one that cannot be looked up because
 * its name is not known: what mounts it is told at once.
 */
const COUNTS_AS_RWO = /^(spec(\.accessModes.*)?|metadata(\.name(space)?)?)$/;
const OF_RWO = ["rwo-volume-not-shared", "rwo-workload-recreates"];

const namespaceOf = (raw: RawResource) =>
  get(raw.props, "metadata.namespace") as string | undefined;

describe("unknown mutants", () => {
  let stack: RawResource[];
  let bad: Finding[];

  before(async () => {
    stack = [...(await smallStack()), ...BAD];
    bad = judge(stack);
    assert.ok(bad.length >= 4 && bad.every(isBad), "only the bad objects are told");
  });

  /** What the rules can relate an object to: its namespace, what has none, and the bad objects. */
  const swap = (raw: RawResource, by: RawResource) =>
    near(raw).map((other) => (other === raw ? by : other));

  const neighbours = new Map<RawResource, RawResource[]>();

  function near(raw: RawResource): RawResource[] {
    const namespace = namespaceOf(raw);
    const those = () =>
      stack.filter((o) => !namespace || [undefined, namespace, "bad"].includes(namespaceOf(o)));
    const found = neighbours.get(raw) ?? those();
    neighbours.set(raw, found);
    return found;
  }

  /** A claim's modes decide about Deployments too. */
  const about = (raw: RawResource, mutant: RawResource) =>
    raw.type.endsWith(":PersistentVolumeClaim")
      ? swap(raw, mutant).filter((o) => o === mutant || o.type.endsWith(":Deployment"))
      : [mutant];

  function completed(raw: RawResource, place: string, silent: Rule[]): string[] {
    const loud = new Set<string>();
    for (const value of COMPLETIONS[kindOf(get(raw.props, place))]) {
      const open = silent.filter((rule) => !loud.has(rule.name));
      const mutant = { ...raw, props: set(raw.props, place, value) };
      for (const finding of judge(swap(raw, mutant), open, about(raw, mutant))) {
        if (!isBad(finding) && finding.kind === "violation") {
          loud.add(finding.rule);
        }
      }
    }
    return [...loud];
  }

  it(`are judged with three values; of the objects ${drawnBy}`, () => {
    const wrong: string[] = [];
    let made = 0;
    let told = 0;
    const good = stack.filter((o) => !isBad(o));
    for (const raw of drawn(good, Math.ceil(good.length / 4))) {
      for (const place of places(raw.props).filter((at) => !IN_THE_TYPE.test(at))) {
        made += 1;
        const mutant = proxied({ ...raw, props: set(raw.props, place, UNKNOWN) });
        const findings = judge(swap(raw, mutant), rules, [...about(raw, mutant), ...BAD]);
        const here = findings.filter((f) => !isBad(f));
        told += here.length > 0 ? 1 : 0;
        const at = `${raw.urn.split("::").slice(-2).join(" ")} ${place}`;
        for (const finding of here.filter((f) => f.kind === "violation")) {
          const modes = /:PersistentVolumeClaim$/.test(raw.type) && COUNTS_AS_RWO.test(place);
          if (!(modes && OF_RWO.includes(finding.rule))) {
            wrong.push(`${at}: ${finding.message}`);
          }
        }
        const open = here.filter((f) => f.kind === "unknown").map((f) => `${f.rule} on ${f.urn}`);
        if (new Set(open).size < open.length) {
          wrong.push(`${at}: told twice: ${open.join(", ")}`);
        }
        if (!NAMESPACE.test(place) && !isDeepStrictEqual(findings.filter(isBad), bad)) {
          wrong.push(`${at}: what is wrong elsewhere is told differently`);
        }
        const silent = rules.filter((rule) => !here.some((f) => f.rule === rule.name));
        const missed = completed(raw, place, silent);
        wrong.push(...missed.map((rule) => `${at}: ${rule} is silent and would speak`));
      }
    }
    console.log(`    ${made} places unknown, ${told} of them told as not judged yet`);
    assert.deepEqual(wrong, []);
  });
});
