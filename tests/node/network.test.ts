/**
 * Who reaches whom, pod to pod, with the policies enforced: every flow of the site works, every
 * other one does not, and no header from inside the cluster passes for a visitor's address
 * (decision 6, incidents 1 and 18).
 */
import * as assert from "node:assert/strict";
import { dnsAddress, node } from "../../local/node/config";
import { inNodeNetwork } from "../../local/node/node";
import { matomoImage } from "../../local/node/images";
import { eventually, milliseconds, patience, seconds, within } from "../waits";
import { type Live, type NodeSite, sharedSite } from "./harness";

/** What is dropped never answers: after so long nobody has, in seconds. */
const SILENCE = Math.ceil(10 * patience);
const PORTS = { site: 8080, state: 8081, internal: 8082, database: 3306 };
/** Addresses of nobody (RFC 5737), which visitors, a proxy in front and the internet have here. */
const VISITOR = "198.51.100.7";
const FRONT_PROXY = "192.0.2.1";
const INTERNET = "203.0.113.10";
/** Where a cloud tells a machine's secrets. */
const METADATA = "169.254.169.254";
/** What it is, its address and port; without an address a name is asked for, which goes over UDP. */
type Target = [string, string | undefined, number];
/** Where a probe listens that is a target itself. */
const SOLVER = 8089;
const UNUSED = 8080;
const INGRESS_ARGS = "/spec/template/spec/containers/0/args";

describe("the network of a site", () => {
  let site: NodeSite;
  let addresses: Record<string, string>;
  /** Of the site, and what is anywhere else. */
  let inside: Target[];
  let outside: Target[];

  before(async () => {
    site = await sharedSite();
    for (const address of [INTERNET, METADATA]) await ownAddress(address);
    const components = ["archive", "backup", "acme-solver", "intruder"];
    await Promise.all([
      pod("matomo", "archive", listener(UNUSED)),
      pod("matomo", "backup", listener(UNUSED)),
      pod("matomo", "acme-solver", listener(SOLVER)),
      pod("matomo", "intruder"),
      pod("default", "stranger"),
      pod("default", "internet", publicListener),
      pod("ingress-nginx", "controller"),
    ]);
    const wait = ["--for=condition=Ready", within("podReady")];
    for (const namespace of ["default", "ingress-nginx"]) {
      await site.kubectl("wait", "pod", "-n", namespace, "--all", ...wait);
    }
    for (const component of components) {
      await site.kubectl("wait", "pod", "-n", "matomo", `probe-${component}`, ...wait);
    }
    const ip = async (component: string) => (await site.pod(component)).status.podIP as string;
    const of: Record<string, string> = {};
    for (const component of ["web", "mariadb", ...components]) of[component] = await ip(component);
    addresses = { ...of, ingress: await ingressPod() };
    await site.policiesInForce();
    const server = JSON.parse(await site.kubectl("config", "view", "-o", "json")).clusters[0]
      .cluster.server;
    inside = [
      ["site", addresses.web, PORTS.site],
      ["internal", addresses.web, PORTS.internal],
      ["state", addresses.web, PORTS.state],
      ["database", addresses.mariadb, PORTS.database],
      ["solver", addresses["acme-solver"], SOLVER],
      ["archive", addresses.archive, UNUSED],
      ["backup", addresses.backup, UNUSED],
    ];
    outside = [
      ["DNS", dnsAddress, 53],
      ["DNS over UDP", undefined, 53],
      ["another namespace", addresses.ingress, 8080],
      ["API server", node.ip, Number(new URL(server).port)],
      ["private 443", node.ip, 443],
      ["metadata", METADATA, 80],
      ...[80, 443, 465, 587].map((port): Target => [`public ${port}`, INTERNET, port]),
    ];
  });
  after(async () => {
    for (const namespace of ["matomo", "default", "ingress-nginx"]) {
      await site?.kubectl("delete", "pod", "-n", namespace, "-l", "probe", "--wait=false");
    }
  });

  /** The node has an address, and answers where something listens on it. */
  const ownAddress = (address: string) =>
    site.onNode("sh", "-c", `ip address replace ${address}/32 dev lo`);
  async function ingressPod(): Promise<string> {
    const label = "app.kubernetes.io/name=ingress-nginx";
    const list = await site.kubectl(
      "get",
      "pods",
      "-n",
      "ingress-nginx",
      "-l",
      label,
      "-o",
      "json",
    );
    const items: Live[] = JSON.parse(list).items;
    return items.find(({ metadata }) => !metadata!.deletionTimestamp)!.status.podIP;
  }

  /** A pod with a component's labels that does nothing but look around. */
  async function pod(
    namespace: string,
    component: string,
    change?: (spec: Live) => void,
  ): Promise<void> {
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
    const spec = { containers: [container], automountServiceAccountToken: false };
    change?.(spec as unknown as Live);
    await site.cluster.kubectl(
      ["create", "-f", "-"],
      JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: `probe-${component}`, namespace, labels },
        spec,
      }),
    );
  }

  /** Listens: what a pod may not reach answers, for those who may. */
  function listener(...ports: number[]) {
    const open = '$all[] = stream_socket_server("tcp://0.0.0.0:$port");';
    const each = `foreach ([${ports.join()}] as $port) { ${open} }`;
    // What nobody takes fills the queue, and then there is no connection any more.
    const take = "$ready = $all; $none = null; stream_select($ready, $none, $none, null); ";
    const accept = "foreach ($ready as $one) { fclose(stream_socket_accept($one)); }";
    const program = `${each} while (true) { ${take}${accept} }`;
    const container = {
      command: ["php", "-r", program],
      readinessProbe: { tcpSocket: { port: ports.at(-1) }, periodSeconds: 1 },
    };
    return (spec: Live) => Object.assign(spec.containers[0] as object, container);
  }
  /** In the node's own network. */
  function publicListener(spec: Live): void {
    listener(80, 443, 465, 587)(spec);
    Object.assign(spec, { hostNetwork: true });
    Object.assign(spec.containers[0], { securityContext: {} });
  }

  /** Which of the targets a pod reaches; all are tried at once. */
  async function reached(namespace: string, name: string, of: Target[]): Promise<string[]> {
    const tries = of.map(([, address, port], i) => {
      const ask =
        address === undefined
          ? "getent hosts matomo.matomo.svc.cluster.local. >/dev/null"
          : `bash -c '</dev/tcp/${address}/${port}'`;
      return `(timeout ${SILENCE} ${ask} && echo ${i}) &`;
    });
    const script = ["exec 2>/dev/null", ...tries, "wait"].join("\n");
    const said = await site.kubectl("exec", "-n", namespace, name, "--", "bash", "-c", script);
    const found = said.split("\n");
    return of.filter((_, i) => found.includes(String(i))).map(([title]) => title);
  }

  it("carries every flow of the site and no other", async () => {
    const web = (await site.pod("web")).metadata!.name!;
    const sources: [string, string, string][] = [
      ["web", "matomo", web],
      ["mariadb", "matomo", "matomo-mariadb-0"],
      ["archive", "matomo", "probe-archive"],
      ["backup", "matomo", "probe-backup"],
      ["acme-solver", "matomo", "probe-acme-solver"],
      ["no component", "matomo", "probe-intruder"],
      ["another namespace", "default", "probe-stranger"],
      ["ingress controller", "ingress-nginx", "probe-controller"],
    ];
    const found: Record<string, string[]> = {};
    await Promise.all(
      sources.map(async ([title, namespace, name]) => {
        // A pod reaches itself without any network.
        const others = [...inside, ...outside].filter(
          ([, address]) => address === undefined || address !== addresses[title],
        );
        found[title] = await reached(namespace, name, others);
      }),
    );
    const anywhere = outside.map(([title]) => title);
    const dns = ["DNS", "DNS over UDP"];
    assert.deepEqual(found, {
      web: ["database", ...dns, "public 443"],
      mariadb: [],
      archive: ["internal", ...dns],
      backup: ["state", "database", ...dns],
      "acme-solver": [],
      "no component": [],
      "another namespace": anywhere,
      "ingress controller": ["site", "solver", ...anywhere],
    });
  });

  it("lets Matomo send mail when the settings say so", async () => {
    const mail = ["public 465", "public 587"];
    const { metadata } = await site.pod("web");
    await site.up({ "matomo:egress": { smtp: true } });
    await site.policiesInForce();
    const expected = ["DNS", "DNS over UDP", "public 443", ...mail];
    assert.deepEqual(await reached("matomo", metadata!.name!, outside), expected);
    await site.up();
    await site.policiesInForce();
  });

  /** Puts these in the place of the site's policies while something is tried. */
  async function insteadOfPolicies(others: object[], tries: () => Promise<void>): Promise<void> {
    const text = await site.kubectl("get", "networkpolicy", "-n", "matomo", "-o", "json");
    const policies = JSON.parse(text);
    for (const { metadata } of policies.items as Live[]) delete metadata!.resourceVersion;
    const remove = () => site.kubectl("delete", "networkpolicy", "-n", "matomo", "--all");
    const create = (items: object[]) =>
      site.cluster.kubectl(["create", "-f", "-"], JSON.stringify({ ...policies, items }));
    await remove();
    try {
      if (others.length) await create(others);
      await site.policiesInForce();
      await tries();
    } finally {
      await remove();
      await create(policies.items);
      await site.policiesInForce();
    }
  }

  it("would not without its policies: the check itself works", () =>
    insteadOfPolicies([], async () => {
      const all = [...inside, ...outside];
      const sources = [
        ["default", "probe-stranger"],
        ["matomo", "probe-intruder"],
        ["matomo", "probe-acme-solver"],
        ["matomo", "matomo-mariadb-0"],
      ];
      for (const [namespace, name] of sources) {
        const titles = all.map(([title]) => title);
        assert.deepEqual(await reached(namespace, name, all), titles, name);
      }
    }));

  it("would not with policies whose labels no pod has", () => {
    const deny = (name: string, matchLabels: Record<string, string>) => ({
      ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
      metadata: { name, namespace: "matomo" },
      spec: { podSelector: { matchLabels }, policyTypes: ["Ingress", "Egress"] },
    });
    const component = { "app.kubernetes.io/component": "intruder" };
    // The first as in incident 18; the second shows that such a policy works where a pod has its labels.
    const policies = [deny("old", { app: "matomo" }), deny("read", component)];
    return insteadOfPolicies(policies, async () => {
      assert.deepEqual(await reached("matomo", "probe-intruder", inside), []);
      const titles = inside.map(([title]) => title);
      assert.deepEqual(await reached("default", "probe-stranger", inside), titles);
    });
  });

  /** A request from an address of the test's own, straight to the ingress, as from outside. */
  async function visit(from: string, visitor: string, forwarded?: string): Promise<void> {
    await ownAddress(from);
    const id = Buffer.from(visitor).toString("hex").padEnd(16, "0").slice(0, 16);
    const path = `/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2Fexample.com%2F${visitor}`;
    const options = {
      ...{ host: await ingressPod(), port: 8080, path, localAddress: from },
      timeout: milliseconds("requestAnswered"),
      headers: {
        Host: "matomo.local.example.com",
        ...(forwarded && { "X-Forwarded-For": forwarded }),
      },
    };
    const program = `require("http").get(${JSON.stringify(options)}, (r) => {
      console.log(r.statusCode); r.resume(); }).on("timeout", function () { this.destroy(); })`;
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

  it("records it behind two proxies that append, and no pod's claim", async () => {
    await site.up({ "matomo:edge": { proxies: ["192.0.2.0/24"] } });
    await site.webReady();
    await site.policiesInForce();
    // As Envoy does, and ingress-nginx with compute-full-forwarded-for.
    const appends = { op: "add", path: `${INGRESS_ARGS}/-`, value: "-trust=0.0.0.0/0" };
    const deployment = ["deployment/ingress", "-n", "ingress-nginx"];
    /** Changes the ingress and waits until its Service leads to the new pod alone. */
    const rolled = async (change: () => Promise<unknown>) => {
      const before = await ingressPod();
      await change();
      await site.kubectl("rollout", "status", ...deployment, within("rolloutEnds"));
      const after = await ingressPod();
      await eventually("the ingress' Service leads to its new pod alone", async () => {
        const rules = await site.onNode("iptables", "-w", "-t", "nat", "-S");
        const leadsTo = (address: string) => rules.includes(`to-destination ${address}:`);
        return leadsTo(after) && !leadsTo(before);
      });
      await site.policiesInForce();
    };
    await rolled(async () => {
      await site.kubectl("patch", ...deployment, "--type=json", "-p", JSON.stringify([appends]));
    });
    await visit(FRONT_PROXY, "through-two", VISITOR);
    assert.match(await recorded(), /^198\.51\./);
    await visit(VISITOR, "lies-to-two", "203.0.113.99");
    assert.match(await recorded(), /^198\.51\./);
    for (const claimed of ["203.0.113.66", `203.0.113.66, ${FRONT_PROXY}`]) {
      const before = await site.pageViews();
      const url = "http://ingress.ingress-nginx.svc.cluster.local/matomo.php?idsite=1&rec=1&url=x";
      const headers = ["-H", "Host: matomo.local.example.com", "-H", `X-Forwarded-For: ${claimed}`];
      const curl = [
        "curl",
        "-sS",
        "--fail",
        "--max-time",
        String(seconds("requestAnswered")),
        "-o",
        "/dev/null",
        ...headers,
        url,
      ];
      await site.kubectl("exec", "-n", "default", "probe-stranger", "--", ...curl);
      assert.equal(await site.pageViews(), before + 1);
      assert.match(await recorded(), /^10\.244\./, claimed);
    }
    await rolled(() => site.kubectl("rollout", "undo", ...deployment));
    await site.up();
    await site.webReady();
    await site.policiesInForce();
  });

  it("does not believe a header from inside the cluster", async () => {
    /** The answer's status, and how curl ended: 7 where it was refused, 28 where nobody answered. */
    const forged = (port: number) => {
      const url = `http://${addresses.web}:${port}/matomo.php?idsite=1&rec=1&_id=00000000f0f0f0f0&url=x`;
      const headers = ["X-Forwarded-For: 203.0.113.66", "X-Forwarded-Proto: https"];
      const words = headers.map((header) => `-H '${header}'`).join(" ");
      const curl = `curl -s -o /dev/null -w '%{http_code}' --max-time ${SILENCE} ${words} '${url}'`;
      const script = `${curl}; echo " $?"`;
      return site.kubectl("exec", "-n", "matomo", "probe-archive", "--", "bash", "-c", script);
    };
    addresses.web = (await site.pod("web")).status.podIP;
    assert.equal(await forged(PORTS.internal), "200 0");
    assert.match(await recorded(), /^10\.244\./);
    const views = await site.pageViews();
    assert.equal(await forged(PORTS.site), "000 28");
    assert.equal(await site.pageViews(), views);
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
