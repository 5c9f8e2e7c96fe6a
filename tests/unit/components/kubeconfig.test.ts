import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";
import { readKubeconfig } from "../../../components/kubeconfig";

const base64 = (text: string) => Buffer.from(text).toString("base64");

function kubeconfig(user: object, cluster: object = {}): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "one", cluster: { server: "https://192.0.2.1:6443", ...cluster } },
      { name: "two", cluster: { server: "https://192.0.2.2:6443" } },
    ],
    users: [
      { name: "me", user },
      { name: "other", user: { token: "other's" } },
    ],
    contexts: [
      { name: "first", context: { cluster: "one", user: "me" } },
      { name: "second", context: { cluster: "two", user: "other" } },
      { name: "broken", context: { cluster: "three", user: "me" } },
    ],
    "current-context": "second",
  });
}

describe("a kubeconfig's one context", () => {
  it("is the named one, and nothing of the others is kept", () => {
    const found = readKubeconfig(kubeconfig({ token: "mine" }), "first");
    assert.equal(found.server, "https://192.0.2.1:6443");
    assert.doesNotMatch(found.text, /other|second|192\.0\.2\.2/);
    assert.equal(readKubeconfig(found.text).server, found.server, "it can be read again");
  });

  it("is the current one when none is named", () => {
    assert.equal(readKubeconfig(kubeconfig({})).server, "https://192.0.2.2:6443");
  });

  it("authenticates by token, by certificate, and by files beside it", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "kubeconfig-"));
    fs.writeFileSync(path.join(folder, "ca.pem"), "CA");
    fs.writeFileSync(path.join(folder, "token"), "from a file\n");
    const token = readKubeconfig(
      kubeconfig({ tokenFile: "token" }, { "certificate-authority": "ca.pem" }),
      "first",
      folder,
    );
    fs.rmSync(folder, { recursive: true });
    assert.deepEqual(token.requestOptions().headers, { authorization: "Bearer from a file" });
    assert.equal(String(token.requestOptions().ca), "CA");

    const certificate = { "client-certificate-data": base64("C"), "client-key-data": base64("K") };
    const options = readKubeconfig(kubeconfig(certificate), "first").requestOptions();
    assert.deepEqual([String(options.cert), String(options.key)], ["C", "K"]);
    assert.equal(options.rejectUnauthorized, true);
  });

  it("runs a credential plugin, with its own variables, only for a request", () => {
    const script =
      "const {spec} = JSON.parse(process.env.KUBERNETES_EXEC_INFO);" +
      "console.log(JSON.stringify({status: {token: process.env.WHO + spec.interactive}}))";
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: process.execPath,
      args: ["-e", script],
      env: [{ name: "WHO", value: "plugin-" }],
    };
    const found = readKubeconfig(kubeconfig({ exec }), "first");
    assert.deepEqual(found.requestOptions().headers, { authorization: "Bearer plugin-false" });
    assert.match(found.text, /KUBERNETES|command/, "the provider runs it itself");
  });

  it("says what is missing and what is there", () => {
    const read = (name: string) => () => readKubeconfig(kubeconfig({}), name);
    assert.throws(read("third"), /no context "third"; allowed: first, second, broken/);
    assert.throws(read("broken"), /context "broken" names the cluster "three"/);
    assert.throws(() => readKubeconfig("", "first"), /allowed: it has none/);
  });
});
