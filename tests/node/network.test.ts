/**
 * Who reaches whom, pod to pod, with the policies enforced: every flow of the site works, every
 * other one does not, and no header from inside the cluster passes for a visitor's address
 * (decision 6, incidents 1 and 18).
 */
import * as assert from "node:assert/strict";
import { inNodeNetwork } from "../../local/node/node";
import { matomoImage } from "../../local/node/images";
import { type Live, needsNode, type NodeSite, sharedSite } from "./harness";

const PORTS = { site: 8080, state: 8081, internal: 8082, database: 3306 };
/** Addresses of nobody (RFC 5737), which visitors and a proxy in front have here. */
const VISITOR = "198.51.100.7";
const FRONT_PROXY = "192.0.2.1";

describe("the network of a site", () => {
  let site: NodeSite;
  let addresses: Record<string, string>;

  before(needsNode);
  before(async () => {
    site = await sharedSite();
    const components = ["archive", "backup", "intruder"];
    await Promise.all([
      ...components.map((component) => pod("matomo", component)),
      pod("default", "stranger"),
      pod("ingress-nginx", "controller"),
    ]);
    const wait = ["--for=condition=Ready", "--all", "--timeout=60s"];
    for (const namespace of ["default", "ingress-nginx"]) {
      await site.kubectl("wait", "pod", "-n", namespace, ...wait);
    }
    for (const component of components) {
      await site.kubectl("wait", "pod", "-n", "matomo", `probe-${component}`, ...wait.slice(0, 1));
    }
    const ip = async (component: string) => (await site.pod(component)).status.podIP as string;
    addresses = { web: await ip("web"), mariadb: await ip("mariadb") };
  });
  after(async () => {
    for (const namespace of ["matomo", "default", "ingress-nginx"]) {
      await site?.kubectl("delete", "pod", "-n", namespace, "-l", "probe", "--wait=false");
    }
  });

  /** A pod with a component's labels that does nothing but look around. */
  async function pod(namespace: string, component: string): Promise<void> {
    const labels = {
      "app.kubernetes.io/name": "matomo",
      "app.kubernetes.io/instance": "matomo",
      "app.kubernetes.io/component": component,
      probe: "true",
    };
    const container = {
      name: "probe",
      image: matomoImage,
      command: ["sleep", "3600"],
      securityContext: {
        allowPrivilegeEscalation: false,
        runAsNonRoot: true,
        runAsUser: 33,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      },
    };
    await site.cluster.kubectl(
      ["create", "-f", "-"],
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `probe-${component}`, namespace, labels },
        spec: { containers: [container], automountServiceAccountToken: false },
      }),
    );
  }

  /** Whether a TCP connection is made, from a probe or from a pod of the site. */
  async function reaches(namespace: string, name: string, address: string, port: number) {
    const connect = `timeout 2 bash -c '</dev/tcp/${address}/${port}' 2>/dev/null && echo yes || echo no`;
    const exec = ["exec", "-n", namespace, name, "--", "bash", "-c", connect];
    return (await site.kubectl(...exec)).trim() === "yes";
  }

  it("carries every flow of the site and no other", async () => {
    const web = (await site.pod("web")).metadata!.name!;
    const sources: [string, string, string][] = [
      ["web", "matomo", web],
      ["mariadb", "matomo", "matomo-mariadb-0"],
      ["archive", "matomo", "probe-archive"],
      ["backup", "matomo", "probe-backup"],
      ["no component", "matomo", "probe-intruder"],
      ["another namespace", "default", "probe-stranger"],
      ["ingress controller", "ingress-nginx", "probe-controller"],
    ];
    const targets: [string, string, number][] = [
      ["site", addresses.web, PORTS.site],
      ["internal", addresses.web, PORTS.internal],
      ["state", addresses.web, PORTS.state],
      ["database", addresses.mariadb, PORTS.database],
    ];
    const found: Record<string, string[]> = {};
    await Promise.all(
      sources.map(async ([title, namespace, name]) => {
        found[title] = [];
        for (const [target, address, port] of targets) {
          const itself =
            title === "web" ? addresses.web : title === "mariadb" ? addresses.mariadb : "";
          // A pod reaches itself without any network.
          if (address !== itself && (await reaches(namespace, name, address, port))) {
            found[title].push(target);
          }
        }
      }),
    );
    assert.deepEqual(found, {
      web: ["database"],
      mariadb: [],
      archive: ["internal"],
      backup: ["state", "database"],
      "no component": [],
      "another namespace": [],
      "ingress controller": ["site"],
    });
  });

  it("would not without its policies: the check itself works", async () => {
    const policies = await site.kubectl("get", "networkpolicy", "-n", "matomo", "-o", "json");
    await site.kubectl("delete", "networkpolicy", "-n", "matomo", "--all");
    try {
      await site.onNode(
        "sh",
        "-c",
        "until ! iptables -t mangle -S POLICIES | grep -q IN-; do sleep 0.1; done",
      );
      assert.ok(await reaches("default", "probe-stranger", addresses.mariadb, PORTS.database));
    } finally {
      const { items } = JSON.parse(policies);
      for (const { metadata } of items as Live[]) delete metadata!.resourceVersion;
      await site.cluster.kubectl(["create", "-f", "-"], policies);
      await site.onNode(
        "sh",
        "-c",
        "until iptables -t mangle -S POLICIES | grep -q IN-; do sleep 0.1; done",
      );
    }
  });

  it("keeps the node's API server from the site's pods", async () => {
    const port = new URL(
      JSON.parse(await site.kubectl("config", "view", "-o", "json")).clusters[0].cluster.server,
    ).port;
    assert.equal(await reaches("matomo", "probe-backup", "10.240.0.1", Number(port)), false);
    assert.equal(await reaches("default", "probe-stranger", "10.240.0.1", Number(port)), true);
  });

  /** A request from an address of the test's own, straight to the ingress, as from outside. */
  async function visit(from: string, visitor: string, forwarded?: string): Promise<void> {
    const list = await site.kubectl(
      ...["get", "pods", "-n", "ingress-nginx", "-l", "app.kubernetes.io/name=ingress-nginx"],
      ...["-o", "jsonpath={.items[0].status.podIP}"],
    );
    await site.onNode("sh", "-c", `ip address replace ${from}/32 dev lo`);
    const id = Buffer.from(visitor).toString("hex").padEnd(16, "0").slice(0, 16);
    const path = `/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2Fexample.com%2F${visitor}`;
    const options = {
      ...{ host: list, port: 8080, path, localAddress: from },
      headers: {
        Host: "matomo.local.example.com",
        ...(forwarded && { "X-Forwarded-For": forwarded }),
      },
    };
    const program = `require("http").get(${JSON.stringify(options)}, (r) => {
      console.log(r.statusCode); r.resume(); })`;
    const status = await inNodeNetwork(site.cluster.folder, [process.execPath, "-e", program]);
    assert.equal(status.trim(), "200");
  }
  const recorded = () =>
    site.query(
      "SELECT INET6_NTOA(location_ip) FROM matomo_log_visit ORDER BY idvisit DESC LIMIT 1",
    );

  it("records a visitor's own address behind the ingress, whatever the visitor claims", async () => {
    await visit(VISITOR, "plain");
    assert.match(await recorded(), /^198\.51\./);
    await visit(VISITOR, "liar", "203.0.113.99");
    assert.match(await recorded(), /^198\.51\./);
  });

  it("records it behind a proxy in front of the ingress as well", async () => {
    const edge = { "matomo:edge": { proxies: ["192.0.2.0/24"] } };
    await site.up(edge);
    await site.webReady();
    await site.kubectl(
      "patch",
      "deployment",
      "ingress",
      "-n",
      "ingress-nginx",
      "--type=json",
      "-p",
      JSON.stringify([
        {
          op: "add",
          path: "/spec/template/spec/containers/0/args/-",
          value: "-trust=192.0.2.0/24",
        },
      ]),
    );
    await site.kubectl("rollout", "status", "-n", "ingress-nginx", "deployment/ingress");
    await visit(FRONT_PROXY, "through-two", VISITOR);
    assert.match(await recorded(), /^198\.51\./);
    await site.up();
    await site.webReady();
  });

  it("does not believe a header from inside the cluster", async () => {
    const forged = (port: number) =>
      site
        .kubectl(
          ...["exec", "-n", "matomo", "probe-archive", "--", "curl", "-s", "-o", "/dev/null", "-w"],
          ...["%{http_code}", "--max-time", "3", "-H", "X-Forwarded-For: 203.0.113.66", "-H"],
          ...[
            "X-Forwarded-Proto: https",
            `http://${addresses.web}:${port}/matomo.php?idsite=1&rec=1&_id=00000000f0f0f0f0&url=x`,
          ],
        )
        .catch((error: Error) => error.message);
    addresses.web = (await site.pod("web")).status.podIP;
    assert.equal(await forged(PORTS.internal), "200");
    assert.match(await recorded(), /^10\.244\./);
    assert.match(await forged(PORTS.site), /exit code 28|Command failed/);
  });

  it("answers 403 or 404 for what is private, to another pod too", async () => {
    for (const path of [
      "config/config.ini.php",
      "tmp/",
      "tmp/logs/",
      "lang/en.json",
      "core/Version.php",
    ]) {
      const status = await site.kubectl(
        ...["exec", "-n", "matomo", "probe-archive", "--", "curl", "-s", "-o", "/dev/null", "-w"],
        ...[
          "%{http_code}",
          "-H",
          "X-Forwarded-Proto: https",
          `http://${addresses.web}:${PORTS.internal}/${path}`,
        ],
      );
      assert.match(status, /^40[34]$/, path);
    }
  });
});
