/**
 * Incident 1: the Service without a component label also led to the database's pod. The ingress
 * sent it requests, was refused, and visitors saw "Oops".
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { Bench, useBench } from "./bench";

/** Labels that both of the stack's pods carry: the old Service's selector. */
const OLD_SELECTOR = {
  "app.kubernetes.io/name": "matomo",
  "app.kubernetes.io/instance": "matomo",
};
const PORT = 8080;

describe("incident 1: a Service without a component", () => {
  const bench = useBench("incident-1");

  /** Pods that a Service of the stack leads to, once there are `count`. */
  function targets(service: string, count: number): Promise<string[]> {
    return bench().seen(
      "/apis/discovery.k8s.io/v1/namespaces/matomo/endpointslices" +
        `?labelSelector=kubernetes.io/service-name%3D${service}`,
      `${count} endpoints of ${service}`,
      (slices) => {
        const ends = slices.flatMap(({ endpoints }) => endpoints ?? []);
        const names = ends.map(({ targetRef }: Live) => targetRef.name as string);
        return names.length >= count ? names.sort() : undefined;
      },
    );
  }

  /** The stack's pod of a component; after a drain it is a new one. */
  const podOf = (component: string) => new Bench(bench().site, "matomo").ready(component);

  it("the old selector has the database's pod among its endpoints", async () => {
    const { site } = bench();
    const old = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "old-selector", namespace: "matomo" },
      spec: { selector: OLD_SELECTOR, ports: [{ port: 80, targetPort: PORT }] },
    };
    await site.cluster.kubectl(["create", "-f", "-"], JSON.stringify(old));
    try {
      const [web, database] = [await podOf("web"), await podOf("mariadb")];
      const names = [web.metadata!.name, database.metadata!.name];
      assert.deepEqual(await targets("old-selector", 2), names.sort());
      const shown = await site.kubectl("describe", "service", "old-selector", "-n", "matomo");
      const endpoints = /^Endpoints:\s+(.*)$/m.exec(shown)![1].split(",");
      assert.ok(endpoints.includes(`${database.status.podIP}:${PORT}`), shown);
    } finally {
      await site.kubectl("delete", "service", "old-selector", "-n", "matomo");
    }
  });

  it("ours lead to the web pod alone, and to the database's alone", async () => {
    const [web, database] = [await podOf("web"), await podOf("mariadb")];
    assert.deepEqual(await targets("matomo", 1), [web.metadata!.name]);
    assert.deepEqual(await targets("matomo-mariadb", 1), [database.metadata!.name]);
  });
});
