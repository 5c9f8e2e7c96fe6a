import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";
import { contextOf, readKubeconfig } from "../../../components/kubeconfig";
import { SettingsError } from "../../../components/settings";

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

describe("the context of a stack's settings", () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "kubeconfig-"));
    file = path.join(folder, "config");
    fs.writeFileSync(path.join(folder, "ca.pem"), "CA");
    fs.writeFileSync(file, kubeconfig({}, { "certificate-authority": "ca.pem" }));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  /** One fault, in the words of all settings' faults. */
  const refused = (settings: Parameters<typeof contextOf>[0], problem: string) =>
    assert.throws(
      () => contextOf(settings),
      (error: unknown) => {
        assert.ok(error instanceof SettingsError);
        assert.deepEqual(error.problems, [problem]);
        return true;
      },
    );

  it("is read from that file, with the files that it names beside it", () => {
    const found = contextOf({ context: "first", kubeconfig: file });
    assert.equal(found.server, "https://192.0.2.1:6443");
    assert.equal(String(found.requestOptions().ca), "CA");
    const relative = path.relative(process.cwd(), file);
    assert.equal(contextOf({ context: "first", kubeconfig: relative }).text, found.text);
  });

  it("is looked for below the home folder where the file begins with ~", () => {
    const { HOME } = process.env;
    process.env.HOME = folder;
    try {
      const found = contextOf({ context: "first", kubeconfig: "~/config" });
      assert.equal(found.server, "https://192.0.2.1:6443");
    } finally {
      if (HOME === undefined) delete process.env.HOME;
      else process.env.HOME = HOME;
    }
  });

  it("is neither KUBECONFIG's nor the current one", () => {
    const { KUBECONFIG } = process.env;
    process.env.KUBECONFIG = file;
    try {
      refused(
        { context: "second", kubeconfig: `${folder}/none` },
        `matomo:cluster.kubeconfig: found "${folder}/none"; allowed: a kubeconfig file that exists`,
      );
    } finally {
      if (KUBECONFIG === undefined) delete process.env.KUBECONFIG;
      else process.env.KUBECONFIG = KUBECONFIG;
    }
  });

  it("is a fault where the file has no such context, with those that it has", () => {
    refused(
      { context: "third", kubeconfig: file },
      `matomo:cluster.context: found "third"; ${file}: no context "third"; ` +
        "allowed: first, second, broken",
    );
  });

  it("is a fault where the context is not whole", () => {
    refused(
      { context: "broken", kubeconfig: file },
      `matomo:cluster.context: found "broken"; ${file}: ` +
        'context "broken" names the cluster "three", which is not there',
    );
  });
});
