/** How findings are collected: each once, what is not known once an object, and a bug never. */
import assert from "node:assert/strict";
import { NotKnown, OutOfSight } from "../../../policy/core/data";
import { KubeObject } from "../../../policy/core/objects";
import { Report } from "../../../policy/core/rule";
import { rules } from "../../../policy/rules";
import { service, workload } from "../support/objects";

const [rule] = rules;
const web = new KubeObject(workload("Deployment", "web"));
const proxy = new KubeObject(service("web"));
const fault = { at: "spec.replicas", found: "2", fix: "Set it to 1." };
const notKnown =
  (path: string, owner = web) =>
  () => {
    throw new NotKnown(owner.words, path);
  };

describe("a report", () => {
  it("tells a fault once, however often it is found", () => {
    const { judge, findings } = new Report(rule, []);
    judge(web, () => fault);
    judge(web, () => fault);
    assert.deepEqual(findings, [
      {
        rule: rule.name,
        urn: web.urn,
        kind: "violation",
        message: "Deployment shop/web: spec.replicas: 2. Set it to 1.",
      },
    ]);
  });

  it("tells two faults of one object, and one fault of two objects of one name", () => {
    const { judge, findings } = new Report(rule, []);
    const twin = new KubeObject({ ...workload("Deployment", "web"), urn: "urn:twin" });
    judge(web, () => fault);
    judge(web, () => ({ ...fault, at: web.view.at("spec", "paused") }));
    judge(twin, () => fault);
    assert.deepEqual(
      findings.map(({ urn, message }) => [urn, message.split(": ")[1]]),
      [
        [web.urn, "spec.replicas"],
        [web.urn, "spec.paused"],
        [twin.urn, "spec.replicas"],
      ],
    );
  });

  it("tells an advisory as one, and an exemption with its reason", () => {
    const exempt = { namespace: "*", name: "web", reason: "it is being moved" };
    const plain = new Report(rule, []);
    plain.judge(web, () => ({ ...fault, advisory: true }));
    assert.equal(plain.findings[0].kind, "advisory");
    const { judge, findings } = new Report(rule, [exempt]);
    judge(web, () => fault);
    assert.equal(findings[0].kind, "exempt");
    assert.match(findings[0].message, /Set it to 1\. Exempt: it is being moved$/);
  });

  it("gathers what is not known, once an object, at the end", () => {
    const report = new Report(rule, []);
    report.judge(web, notKnown("spec.replicas"));
    report.judge(web, notKnown("spec.replicas"));
    report.judge(proxy, notKnown("spec.replicas"));
    report.judge(web, () => undefined);
    assert.deepEqual(report.findings, []);
    assert.deepEqual(
      report.finish().map(({ kind, urn, message }) => [kind, urn, message]),
      [
        [
          "unknown",
          web.urn,
          "Deployment shop/web: not judged yet: spec.replicas not known yet; `pulumi up` will judge it once it is known.",
        ],
        [
          "unknown",
          proxy.urn,
          "Service shop/web: not judged yet: Deployment shop/web: spec.replicas not known yet; `pulumi up` will judge it once it is known.",
        ],
      ],
    );
  });

  it("tells apart what an up will know, and what stands elsewhere", () => {
    const report = new Report(rule, []);
    report.judge(web, () => {
      throw new OutOfSight("Deployment shop/web", "ServiceAccount x", "not part of this stack");
    });
    report.judge(web, notKnown("spec.replicas"));
    const told = () => report.finish().map(({ kind, message }) => [kind, message]);
    const expected = [
      [
        "unknown",
        "Deployment shop/web: not judged yet: spec.replicas not known yet; `pulumi up` will judge it once it is known.",
      ],
      [
        "unknown",
        "Deployment shop/web: not judged: ServiceAccount x not part of this stack; an `up` will not tell either, so check it where it is made.",
      ],
    ];
    assert.deepEqual(told(), expected);
    assert.deepEqual(told(), expected, "each is told once");
  });

  const many: [number, RegExp][] = [
    [3, /: p1 not known yet; p2 not known yet; p3 not known yet; `pulumi/],
    [4, /: p1 not known yet; p2 not known yet; p3 not known yet and 1 more; `pulumi/],
    [9, /p3 not known yet and 6 more; `pulumi/],
  ];
  for (const [count, message] of many) {
    it(`names three places of ${count}`, () => {
      const report = new Report(rule, []);
      for (let i = 1; i <= count; i++) {
        report.judge(web, notKnown(`p${i}`));
      }
      assert.match(report.finish()[0].message, message);
    });
  }

  it("lets a bug of a rule through: silence would pass for approval", () => {
    const { judge } = new Report(rule, []);
    const bug = new TypeError("spec is undefined");
    assert.throws(
      () =>
        judge(web, () => {
          throw bug;
        }),
      bug,
    );
  });
});
