/** What is read of a live namespace, from an API server that answers as the test says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { Kubeconfig } from "../../../components/kubeconfig";
import { survey } from "../../../components/live";

const APPS = "/apis/apps/v1/namespaces/matomo";

/** A template of one container, and what tells its version beside the image. */
const template = (image: string, annotations?: Record<string, string>) => ({
  metadata: { annotations },
  spec: { containers: [{ image }] },
});
const pod = (component: string, image: string, started: boolean) => ({
  metadata: { name: component, labels: { "app.kubernetes.io/component": component } },
  spec: template(image).spec,
  status: { containerStatuses: [{ ready: false, started }] },
});
/** The web server, rolled out once or never; since when it is not available, in seconds of its life. */
const web = (reason: string, of = template("matomo:5.5.1-apache"), since = 600) => ({
  metadata: { name: "matomo", creationTimestamp: "2026-11-01T00:00:00Z" },
  spec: { template: of },
  status: {
    conditions: [
      { type: "Progressing", status: "True", reason },
      {
        ...{ type: "Available", status: "False" },
        lastTransitionTime: new Date(Date.UTC(2026, 10, 1, 0, 0, since)).toISOString(),
      },
    ],
  },
});
const database = (image: string, currentRevision: string, updateRevision: string) => ({
  metadata: { name: "matomo-mariadb" },
  spec: { template: template(image) },
  status: { currentRevision, updateRevision },
});

describe("the survey of a live namespace", () => {
  let server: http.Server;
  let kubeconfig: Kubeconfig;
  /** What is at a path; lists that are not here are empty, all else is not there. */
  let objects: Record<string, unknown>;
  /** Whether an answer ends in its middle. */
  let broken: boolean;

  before(async () => {
    server = http.createServer(({ url = "" }, response) => {
      const found = objects[url] ?? (/s$/.test(url) ? { items: [] } : undefined);
      const text = JSON.stringify(found ?? {});
      response.writeHead(found ? 200 : 404, { "content-length": text.length });
      if (broken) response.write(text.slice(0, 1), () => response.destroy());
      else response.end(text);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    kubeconfig = { server: address, requestOptions: () => ({}) } as unknown as Kubeconfig;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    objects = { "/api/v1/namespaces/kube-system": { metadata: { uid: "cluster-uid" } } };
    broken = false;
  });

  const deployed = async () => (await survey(kubeconfig)).deployed;
  const pods = (...items: object[]) =>
    (objects["/api/v1/namespaces/matomo/pods"] = { items } as unknown);

  it("knows a cluster by its own UID, not by its address", async () => {
    assert.equal((await survey(kubeconfig)).cluster, "cluster-uid");
    objects = {};
    await assert.rejects(survey(kubeconfig), /has no namespace kube-system/);
  });

  it("finds no version where nothing is", async () => {
    assert.deepEqual(await deployed(), { matomo: undefined, mariadb: undefined });
  });

  it("takes a started pod's, ready or not", async () => {
    pods(pod("web", "matomo:5.6.0-apache", true), pod("mariadb", "mariadb:12.1.0", true));
    assert.deepEqual(await deployed(), { matomo: "5.6.0", mariadb: "12.1.0" });
    pods(pod("web", "matomo:5.6.0-apache", false), pod("mariadb", "mariadb:12.1.0", false));
    assert.deepEqual(await deployed(), { matomo: undefined, mariadb: undefined });
  });

  it("knows what was rolled out where the pods are gone", async () => {
    objects[`${APPS}/deployments/matomo`] = web("NewReplicaSetAvailable");
    objects[`${APPS}/statefulsets/matomo-mariadb`] = database("mariadb:12.0.2", "a", "a");
    assert.deepEqual(await deployed(), { matomo: "5.5.1", mariadb: "12.0.2" });
  });

  it("counts no database that a first up never brought up", async () => {
    const never = web("ReplicaSetUpdated", undefined, 1);
    objects[`${APPS}/deployments/matomo`] = never;
    objects[`${APPS}/statefulsets/matomo-mariadb`] = database("mariadb:12.9.9", "a", "a");
    assert.deepEqual(await deployed(), { matomo: undefined, mariadb: undefined });
    never.status.conditions[1].status = "True";
    assert.equal((await deployed()).mariadb, "12.9.9");
  });

  it("knows the database's while a new web pod waits for it", async () => {
    for (const reason of ["ReplicaSetUpdated", "ProgressDeadlineExceeded"]) {
      objects[`${APPS}/deployments/matomo`] = web(reason);
      objects[`${APPS}/statefulsets/matomo-mariadb`] = database("mariadb:12.1.0", "a", "a");
      assert.deepEqual(await deployed(), { matomo: undefined, mariadb: "12.1.0" });
    }
  });

  it("counts the database's last ready revision, and a newer one's pod once it started", async () => {
    objects[`${APPS}/deployments/matomo`] = web("NewReplicaSetAvailable");
    objects[`${APPS}/statefulsets/matomo-mariadb`] = database("mariadb:12.1.0", "a", "b");
    objects[`${APPS}/controllerrevisions/a`] = {
      data: { spec: { template: template("mariadb:12.0.2") } },
    };
    assert.equal((await deployed()).mariadb, "12.0.2");
    pods(pod("mariadb", "mariadb:12.1.0", true));
    assert.equal((await deployed()).mariadb, "12.1.0");
  });

  it("takes the stated version of an image that does not tell its own", async () => {
    const own = template("matomo:lts", { "matomo-fleet/version": "5.4.0" });
    objects[`${APPS}/deployments/matomo`] = web("NewReplicaSetAvailable", own);
    assert.equal((await deployed()).matomo, "5.4.0");
  });

  it("ends when an answer breaks off", async () => {
    broken = true;
    await assert.rejects(survey(kubeconfig), /cannot be reached: (aborted|socket hang up)/);
  });
});
