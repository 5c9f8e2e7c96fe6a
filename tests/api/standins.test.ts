/**
 * The stand-ins on the real engine and the real API server: the cloud's controllers beside
 * Kubernetes' own, and the two plugins under a small program of their own. What they do call by
 * call is in tests/unit/standins.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { type Cluster, crash, startCluster } from "../../local/cluster";
import { stopDaemon } from "../../local/daemons";
import { type Engine, openEngine } from "../../local/engine";
import { checkout } from "../../local/paths";
import type { Order } from "../../local/standins/cloud/orders";
import type { VolumeRecord } from "../../local/standins/digitalocean-client";
import { eventually, within } from "../waits";
import { endCluster, ownCluster } from "./clusters";

describe("stand-ins on a cluster", () => {
  let folder = "";
  let cluster: Cluster;
  const kubectl = (...args: string[]): Promise<string> => cluster.kubectl(args);

  before(async () => {
    ({ folder, cluster } = await ownCluster("standins"));
  });

  after(async () => {
    if (folder) await endCluster(folder);
  });

  async function apply(...objects: object[]): Promise<void> {
    const items = { apiVersion: "v1", kind: "List", items: objects };
    await cluster.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify(items));
  }

  function awaitField(object: string, jsonPath: string, value: string): Promise<string> {
    return kubectl("wait", object, `--for=jsonpath=${jsonPath}=${value}`, within("controllerActs"));
  }

  async function cloud<T>(where: string, method = "GET"): Promise<T> {
    const { url } = JSON.parse(await fs.readFile(path.join(folder, "cluster/cloud.json"), "utf8"));
    const response = await fetch(url + where, { method });
    const text = await response.text();
    assert.ok(response.ok, text);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  const volumesNamed = async (name: string): Promise<VolumeRecord[]> =>
    (await cloud<{ volumes: VolumeRecord[] }>(`/v2/volumes?name=${name}`)).volumes;

  async function volumeOf(claim: string): Promise<VolumeRecord> {
    const name = await kubectl("get", "pvc", claim, "-o", "jsonpath={.spec.volumeName}");
    const found = await volumesNamed(name);
    assert.equal(found.length, 1, "exactly one volume for a claim");
    return found[0];
  }

  it("a claim gets one volume, which grows in place and goes with the claim", async () => {
    await apply(claim("grows", "1Gi"));
    await awaitField("pvc/grows", "{.status.phase}", "Bound");
    const { id, name } = await volumeOf("grows");
    await apply(claim("grows", "3Gi"));
    await awaitField("pvc/grows", "{.status.capacity.storage}", "3Gi");
    const grown = await volumeOf("grows");
    assert.deepEqual([grown.id, grown.size_gigabytes], [id, 3]);
    await kubectl("delete", "pvc", "grows");
    await kubectl("wait", `pv/${name}`, "--for=delete", within("controllerActs"));
    assert.deepEqual(await volumesNamed(name), []);
  });

  it("a volume of the class that retains stays when its claim goes", async () => {
    await apply(claim("stays", "1Gi", "do-block-storage-retain"));
    await awaitField("pvc/stays", "{.status.phase}", "Bound");
    const { name } = await volumeOf("stays");
    await kubectl("delete", "pvc", "stays");
    await awaitField(`pv/${name}`, "{.status.phase}", "Released");
    assert.equal((await volumesNamed(name)).length, 1);
  });

  it("a claim that the driver cannot serve says so", async () => {
    const many = claim("many", "1Gi");
    many.spec.accessModes = ["ReadWriteMany"];
    await apply(many);
    const event = ["get", "events", "--field-selector", "reason=ProvisioningFailed", "-o", "name"];
    const found = await eventually("the event is there", () => kubectl(...event));
    assert.match(
      await kubectl("get", found.split("\n")[0], "-o", "yaml"),
      /access mode ReadWriteMany/,
    );
    await kubectl("delete", "pvc", "many");
  });

  it("a pod whose volume was lost says what the driver says, until it is found", async () => {
    await apply(claim("lost", "1Gi"));
    await awaitField("pvc/lost", "{.status.phase}", "Bound");
    const { id, name } = await volumeOf("lost");
    await cloud(`/test/volumes/${id}/lose`, "POST");
    await apply(attachment("lost", name, "pool-local-1"));
    await says("lost", `rpc error: code = NotFound desc = volume "${id}" does not exist`);
    await cloud(`/test/volumes/${id}/restore`, "POST");
    await awaitField("volumeattachment/lost", "{.status.attached}", "true");
    await apply(attachment("elsewhere", name, "pool-local-2"));
    await says("elsewhere", "is attached to the wrong droplet");
    await kubectl("delete", "volumeattachment", "lost");
    await awaitField("volumeattachment/elsewhere", "{.status.attached}", "true");
    await kubectl("delete", "volumeattachment/elsewhere", "pvc/lost");
    await kubectl("wait", `pv/${name}`, "--for=delete", within("controllerActs"));
  });

  /** Waits until a VolumeAttachment has an error with these words. */
  async function says(attachment: string, words: string): Promise<void> {
    const error = ["-o", "jsonpath={.status.attachError.message}"];
    await eventually(`${attachment} says: ${words}`, async () => {
      const told = await kubectl("get", "volumeattachment", attachment, ...error);
      assert.ok(told.includes(words), `it says: ${told}`);
      return true;
    });
  }

  it("an Ingress and a Service of type LoadBalancer get an address", async () => {
    await apply(service("LoadBalancer"), ingress("plain"));
    const address = "{.status.loadBalancer.ingress[0].ip}";
    await awaitField("ingress/plain", address, "203.0.113.10");
    await eventually("the Service has an address", async () =>
      (await kubectl("get", "service", "web", "-o", `jsonpath=${address}`)).startsWith(
        "203.0.113.",
      ),
    );
  });

  it("a certificate is issued once, whatever becomes of the Ingress (incident 16)", async () => {
    await apply(issuer(), ingress("secure", "shop.example"));
    await kubectl("wait", "issuer/letsencrypt", "--for=condition=Ready", within("controllerActs"));
    await certified();
    await kubectl("delete", "ingress", "secure");
    await kubectl("wait", "certificate/secure-tls", "--for=delete", within("controllerActs"));
    await apply(ingress("secure", "shop.example"));
    await certified();
    const issued = async () =>
      (await cloud<{ orders: Order[] }>("/test/certificates")).orders.filter(
        ({ names }) => names[0] === "shop.example",
      ).length;
    assert.equal(await issued(), 1);
    // The broken form: who deletes the Secret each time runs into the limit.
    for (let n = 1; n < 5; n++) {
      await kubectl("delete", "secret", "secure-tls");
      await eventually(`${n + 1} certificates are issued`, async () => {
        assert.equal(await issued(), n + 1);
        return true;
      });
      await kubectl("wait", "secret/secure-tls", "--for=create", within("controllerActs"));
    }
    await kubectl("delete", "secret", "secure-tls");
    await awaitField("certificate/secure-tls", "{.status.conditions[0].reason}", "Failed");
    assert.match(await kubectl("get", "certificate", "secure-tls", "-o", "yaml"), /too many cert/);
  });

  async function certified(): Promise<void> {
    const certificate = ["wait", "certificate/secure-tls"];
    await kubectl(...certificate, "--for=create", within("controllerActs"));
    await kubectl(...certificate, "--for=condition=Ready", within("controllerActs"));
  }

  it("a Gateway and its routes say whether they lead anywhere", async () => {
    await apply(issuer(), service("ClusterIP"), gateway(), route("good", "https", "web"));
    await apply(route("astray", "nowhere", "web"), route("void", "https", "missing"));
    await kubectl("wait", "gateway/edge", "--for=condition=Programmed", within("controllerActs"));
    const parent = (type: string) => `{.status.parents[0].conditions[?(@.type=="${type}")].status}`;
    await awaitField("httproute/good", parent("Accepted"), "True");
    await awaitField("httproute/good", parent("ResolvedRefs"), "True");
    await awaitField("httproute/astray", parent("Accepted"), "False");
    await awaitField("httproute/void", parent("ResolvedRefs"), "False");
    await awaitField("gateway/edge", "{.status.listeners[0].attachedRoutes}", "2");
    await awaitField(
      "gateway/edge",
      '{.status.listeners[0].conditions[?(@.type=="ResolvedRefs")].status}',
      "True",
    );
  });

  it("goes on when the API server and the cloud itself come back", async () => {
    await apply(claim("before", "1Gi"));
    await awaitField("pvc/before", "{.status.phase}", "Bound");
    const before = await volumeOf("before");
    await crash(folder, "kube-apiserver");
    cluster = await startCluster(folder);
    await apply(claim("between", "1Gi"));
    await awaitField("pvc/between", "{.status.phase}", "Bound");
    assert.ok(await stopDaemon(cluster.folder, "cloud"));
    await apply(claim("after", "1Gi"));
    cluster = await startCluster(folder);
    await awaitField("pvc/after", "{.status.phase}", "Bound");
    assert.deepEqual(await volumeOf("before"), before);
    await volumeOf("between");
    await volumeOf("after");
  });

  describe("under a program", () => {
    let engine: Engine;
    const pulumi = async (args: string[], config: Record<string, string> = {}) => {
      const settings = Object.entries(config).map(([key, value]) => [`tiny:${key}`, value]);
      return engine.pulumi(args, { stack: "dev", config: Object.fromEntries(settings) });
    };

    before(async () => {
      const project = path.join(folder, "program");
      await fs.mkdir(project);
      await fs.symlink(path.join(checkout, "node_modules"), path.join(project, "node_modules"));
      const runtime = { name: "nodejs", options: { typescript: false } };
      await fs.writeFile(
        path.join(project, "Pulumi.yaml"),
        JSON.stringify({ name: "tiny", runtime }),
      );
      await fs.writeFile(path.join(project, "package.json"), JSON.stringify({ main: "index.js" }));
      await fs.writeFile(path.join(project, "index.js"), PROGRAM);
      engine = await openEngine(folder, { project, standIns: "always" });
      await pulumi(["up", "--yes", "--skip-preview"]);
    });

    it("changes nothing when nothing changed", async () => {
      await pulumi(["preview", "--expect-no-changes"]);
      await pulumi(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]);
    });

    it("has the password in the state encrypted alone", async () => {
      const shown = (await pulumi(["stack", "output", "--json", "--show-secrets"])).stdout;
      const { password, endpoint } = JSON.parse(shown);
      assert.match(password, /^[0-9a-f]{32}$/);
      const { server } = JSON.parse(
        await kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster}"),
      );
      assert.equal(endpoint, server);
      const state = (await pulumi(["stack", "export"])).stdout;
      assert.ok(!state.includes(password));
      assert.ok(!state.includes(Buffer.from(password).toString("base64")));
    });

    it("grows a volume in place, and never shrinks it", async () => {
      const before = await volumesNamed("tiny");
      await pulumi(["up", "--yes", "--skip-preview"], { size: "3" });
      const after = await volumesNamed("tiny");
      assert.deepEqual(after, [{ ...before[0], size_gigabytes: 3 }]);
      await assert.rejects(
        pulumi(["preview"], { size: "2" }),
        /volumes `size` can only be expanded and not shrunk/,
      );
    });

    it("sees that a volume was lost, and makes it again", async () => {
      const [{ id }] = await volumesNamed("tiny");
      await cloud(`/test/volumes/${id}/lose`, "POST");
      await pulumi(["refresh", "--yes", "--skip-preview"], { size: "3" });
      assert.ok(!(await pulumi(["stack", "export"])).stdout.includes(id));
      await pulumi(["up", "--yes", "--skip-preview"], { size: "3" });
      const [made] = await volumesNamed("tiny");
      assert.notEqual(made.id, id);
    });

    it("refuses a cluster that there is not, and a volume of no size", async () => {
      await assert.rejects(
        pulumi(["preview"], { cluster: "nope" }),
        /Unable to find cluster with name: nope/,
      );
      await assert.rejects(
        pulumi(["preview"], { size: "0" }),
        /expected size to be at least \(1\)/,
      );
    });

    it("destroys what it made", async () => {
      await pulumi(["destroy", "--yes", "--skip-preview"]);
      assert.deepEqual(await volumesNamed("tiny"), []);
    });
  });
});

const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const { RandomPassword } = require("@pulumi/random/randomPassword");
const { Volume } = require("@pulumi/digitalocean/volume");
const { getKubernetesClusterOutput } = require("@pulumi/digitalocean/getKubernetesCluster");
const config = new pulumi.Config();
exports.password = new RandomPassword("password", {
  length: 32,
  upper: false,
  lower: false,
  numeric: false,
  overrideSpecial: "0123456789abcdef",
}).result;
new Volume("volume", { name: "tiny", region: "nyc1", size: config.getNumber("size") ?? 1 });
const name = config.get("cluster") ?? "liberty";
exports.endpoint = getKubernetesClusterOutput({ name }).endpoint;
`;

function claim(name: string, storage: string, storageClassName = "do-block-storage") {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "default" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName,
      resources: { requests: { storage } },
    },
  };
}

function attachment(name: string, persistentVolumeName: string, nodeName: string) {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    metadata: { name },
    spec: { attacher: "dobs.csi.digitalocean.com", nodeName, source: { persistentVolumeName } },
  };
}

function service(type: string) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "default" },
    spec: { type, selector: { app: "web" }, ports: [{ port: 80 }] },
  };
}

function issuer() {
  const acme = {
    server: "https://acme-v02.example/directory",
    email: "a@shop.example",
    privateKeySecretRef: { name: "account" },
    solvers: [{ http01: { ingress: { ingressClassName: "nginx" } } }],
  };
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Issuer",
    metadata: { name: "letsencrypt", namespace: "default" },
    spec: { acme },
  };
}

function ingress(name: string, host?: string) {
  const backend = { service: { name: "web", port: { number: 80 } } };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      name,
      namespace: "default",
      annotations: host ? { "cert-manager.io/issuer": "letsencrypt" } : {},
    },
    spec: {
      ingressClassName: "nginx",
      rules: [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
      tls: host ? [{ hosts: [host], secretName: `${name}-tls` }] : [],
    },
  };
}

function gateway() {
  const tls = { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: "edge-tls" }] };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: {
      name: "edge",
      namespace: "default",
      annotations: { "cert-manager.io/issuer": "letsencrypt" },
    },
    spec: {
      gatewayClassName: "cilium",
      listeners: [{ name: "https", protocol: "HTTPS", port: 443, hostname: "edge.example", tls }],
    },
  };
}

function route(name: string, sectionName: string, backend: string) {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: "default" },
    spec: {
      parentRefs: [{ name: "edge", sectionName }],
      rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
    },
  };
}
