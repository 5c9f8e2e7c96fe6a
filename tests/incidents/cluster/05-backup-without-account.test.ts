/**
 * Incident 5: the backup's pod named no ServiceAccount of its own. One that is missing means that no
 * pod is ever made, and a CronJob alone does not tell; one that is shared means rights that a backup
 * has no use for.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import * as https from "node:https";
import { text } from "node:stream/consumers";
import { KubeConfig } from "@kubernetes/client-node";
import { milliseconds } from "../../waits";
import { useBench } from "./bench";

/** Every verb that the API server's authorizers know. */
const VERBS = [
  ...["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
  ...["bind", "escalate", "impersonate", "approve", "sign", "attest", "use"],
];
/** Questions at a time. */
const WIDTH = 32;

interface Right {
  group: string;
  resource: string;
  subresource: string;
  verb: string;
  /** Empty: in every namespace, and outside of them. */
  namespace: string;
}

describe("incident 5: a backup without an account of its own", () => {
  const bench = useBench("incident-5");

  it("a pod whose account is missing is never made", async () => {
    const { spec } = await bench().copy("cronjob", "matomo-backup");
    const job = { ...spec.jobTemplate.spec };
    const metadata = { name: "old" };
    await bench().create({ apiVersion: "batch/v1", kind: "Job", metadata, spec: job });
    const told =
      /^Error creating: pods "old-" is forbidden: error looking up service account incident-5\/matomo-backup: serviceaccount "matomo-backup" not found$/;
    await bench().event("FailedCreate", told);
    assert.equal(await bench().kubectl("get", "pods", "-o", "name"), "");
  });

  it("ours has its account, and its pod is made and completes", async () => {
    const { site } = bench();
    const run = "incident-5";
    try {
      await site.runOnce("matomo-backup", run);
    } finally {
      await site.kubectl("delete", "job", run, "-n", "matomo", "--ignore-not-found");
    }
  });

  it("ours may get and list pods and claims: of all verbs on all resources, nothing else", async () => {
    const everything = await allRights();
    const rights = await allowed("matomo", "matomo-backup", everything);
    // To ask what one may do is what Kubernetes gives to every account.
    const own = rights.filter((right) => !/^create selfsubject\w*reviews\./.test(right));
    assert.deepEqual(own, [
      "get persistentvolumeclaims in matomo",
      "get pods in matomo",
      "list persistentvolumeclaims in matomo",
      "list pods in matomo",
    ]);
    assert.ok(everything.length > 2000, `only ${everything.length} questions`);
  });

  /** Every verb on every resource that the API server has, in the site's namespace and in all. */
  async function allRights(): Promise<Right[]> {
    const raw = async (path: string) =>
      JSON.parse(await bench().site.kubectl("get", "--raw", path));
    const { groups } = await raw("/apis");
    const paths: string[] = groups.map(
      ({ preferredVersion }: { preferredVersion: { groupVersion: string } }) =>
        `/apis/${preferredVersion.groupVersion}`,
    );
    const rights: Right[] = [];
    for (const path of ["/api/v1", ...paths]) {
      const { resources, groupVersion } = await raw(path);
      const group = groupVersion.includes("/") ? groupVersion.split("/")[0] : "";
      for (const { name } of resources) {
        const [resource, subresource = ""] = name.split("/");
        for (const verb of VERBS) {
          for (const namespace of ["matomo", ""]) {
            rights.push({ group, resource, subresource, verb, namespace });
          }
        }
      }
    }
    return rights;
  }

  /** Which of the rights an account has: it asks for itself. */
  async function allowed(namespace: string, account: string, rights: Right[]): Promise<string[]> {
    const token = await bench().site.kubectl("create", "token", account, "-n", namespace);
    const ask = new Questions(bench().site.cluster.kubeconfig, token);
    const found: string[] = [];
    const rest = [...rights];
    const worker = async (): Promise<void> => {
      for (let right = rest.pop(); right; right = rest.pop()) {
        if (await ask.mayI(right)) found.push(sentence(right));
      }
    };
    try {
      await Promise.all(Array.from({ length: WIDTH }, worker));
    } finally {
      ask.close();
    }
    return found.sort();
  }
});

/**
 * SelfSubjectAccessReviews over a few connections that stay open: the client library opens one for
 * each request, and there are thousands.
 */
class Questions {
  private readonly agent: https.Agent;
  private readonly url: URL;

  constructor(
    kubeconfig: string,
    private readonly token: string,
  ) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const { server, caData = "" } = config.getCurrentCluster()!;
    this.url = new URL("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", server);
    const ca = Buffer.from(caData, "base64");
    this.agent = new https.Agent({ ca, keepAlive: true, maxSockets: WIDTH });
  }

  async mayI(resourceAttributes: Right): Promise<boolean> {
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview" };
    const headers = {
      authorization: `Bearer ${this.token}`,
      "content-type": "application/json",
    };
    const signal = AbortSignal.timeout(milliseconds("requestAnswered"));
    const options = { agent: this.agent, method: "POST", headers, signal };
    const request = https.request(this.url, options);
    request.end(JSON.stringify({ ...review, spec: { resourceAttributes } }));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const answer = JSON.parse(await text(response));
    assert.equal(response.statusCode, 201, answer.message);
    return answer.status.allowed;
  }

  close(): void {
    this.agent.destroy();
  }
}

function sentence({ group, resource, subresource, verb, namespace }: Right): string {
  const name = [resource, subresource].filter(Boolean).join("/");
  return `${verb} ${name}${group && `.${group}`} in ${namespace || "all namespaces"}`;
}
