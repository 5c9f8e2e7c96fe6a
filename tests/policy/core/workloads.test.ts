/** Where each kind keeps its pod template, and what each of its containers is for. */
import assert from "node:assert/strict";
import { KubeObject } from "../../../policy/core/objects";
import { claimNames, eachContainer, workloadOf } from "../../../policy/core/workloads";
import { claimVolume, kube, podSpec, service, workload } from "../support/objects";
import { proxied } from "../support/table";

const KINDS = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"];
const ENDING = ["Job", "CronJob"];

const of = (raw: Parameters<typeof proxied>[0]) => workloadOf(new KubeObject(proxied(raw)))!;

describe("workloads", () => {
  for (const kind of [...KINDS, ...ENDING, "Pod"]) {
    it(`a ${kind} is one, with its pods' labels, annotations and claims`, () => {
      const one = of(workload(kind, "web", podSpec({ volumes: [claimVolume("data")] })));
      assert.deepEqual(
        one.labels.entries().map(([, value]) => value.text()),
        ["web"],
      );
      assert.deepEqual(
        claimNames(one).map((name) => name.text()),
        ["data"],
      );
      assert.equal(one.serves, !ENDING.includes(kind));
    });
  }

  it("are no other kinds", () => {
    assert.equal(of(service("web")), undefined);
    assert.equal(of(kube("example.com/v1", "Deployment", "web", {})), undefined);
  });

  it("have containers of four sorts", () => {
    const pod = podSpec({
      initContainers: [{ name: "init" }, { name: "sidecar", restartPolicy: "Always" }],
      containers: [{ name: "main" }],
      ephemeralContainers: [{ name: "ephemeral" }],
    });
    const slots: [string | undefined, string][] = [];
    eachContainer(
      of(workload("Deployment", "web", pod)),
      (_, question) => question(),
      (container) => {
        slots.push([container.view.at("name").text(), container.slot()]);
      },
    );
    assert.deepEqual(
      slots,
      ["init", "sidecar", "main", "ephemeral"].map((name) => [name, name]),
    );
  });
});
