/** What of a live object counts, and what a plan says and hides. */
import assert from "node:assert/strict";
import { configPassword } from "../../../../fleet/adoption/credentials";
import { changesOf, entryOf, replacements } from "../../../../fleet/adoption/plan";
import type { Wanted } from "../../../../fleet/adoption/program";
import { asked, differences } from "../../../../fleet/adoption/shape";

const wanted = (inputs: object, ignoreChanges: string[] = []): Wanted => ({
  ...{ urn: "u", type: "t", name: "n", custom: true, inputs },
  options: { ignoreChanges },
});

describe("adoption: the plan", () => {
  it("keeps what somebody asked for, and no default", () => {
    const live = {
      spec: { replicas: 1, dnsPolicy: "ClusterFirst", list: [{ name: "a", x: 1, filled: true }] },
      status: {},
    };
    const fields = { "f:spec": { "f:replicas": {} } };
    const like = { spec: { list: [{ name: "a", x: 2 }] } };
    assert.deepEqual(asked(live, [fields], [like]), {
      spec: { replicas: 1, list: [{ name: "a", x: 1 }] },
    });
  });

  it("tells items of a list apart by their key, not their place", () => {
    const before = {
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "2" },
      ],
    };
    const after = {
      env: [
        { name: "B", value: "3" },
        { name: "A", value: "1" },
      ],
    };
    assert.deepEqual(differences(before, after), [
      { path: "env[B].value", before: "2", after: "3" },
    ]);
  });

  it("shows no value of a Secret, of a variable for one, or of a known password elsewhere", () => {
    const reference = { apiVersion: "v1", kind: "Secret", name: "matomo" };
    const secret = entryOf(reference, [{ path: "data.x", before: "aGk=", after: "aG8=" }], [], []);
    assert.deepEqual(secret.changes, [{ path: "data.x", before: "(hidden)", after: "(hidden)" }]);
    const deployment = { ...reference, kind: "Deployment" };
    const changes = [
      { path: "spec.template.spec.containers[a].env[DB_PASSWORD].value", before: "p", after: "q" },
      { path: "spec.template.spec.containers[a].args", before: ["-pknown-one"], after: [] },
    ];
    const text = JSON.stringify(entryOf(deployment, changes, [], ["known-one"]));
    assert.doesNotMatch(text, /known-one|"p"|"q"/);
  });

  it("labels and annotations of Helm's and Pulumi's books are no change", () => {
    const reference = { apiVersion: "v1", kind: "Service", name: "matomo" };
    const changes = [
      { path: 'metadata.labels["helm.sh/chart"]', before: "matomo-1.1.0" },
      { path: 'metadata.annotations["meta.helm.sh/release-name"]', before: "matomo" },
    ];
    const { action, bookkeeping } = entryOf(reference, changes, [], []);
    assert.deepEqual([action, bookkeeping], ["adopt", 2]);
    const own = entryOf(reference, [{ path: "metadata.labels.team", before: "web" }], [], []);
    assert.equal(own.action, "change");
  });

  it("sees what the provider would replace, unless the program ignores it", () => {
    const live = {
      kind: "PersistentVolumeClaim",
      spec: { storageClassName: "a", volumeName: "v" },
    };
    const claim = { kind: "PersistentVolumeClaim", spec: { storageClassName: "b" } };
    const changes = changesOf(live, wanted(claim, ["spec.volumeName"]));
    assert.deepEqual(replacements("PersistentVolumeClaim", changes), ["spec.storageClassName"]);
  });

  it("reads the database's password out of config.ini.php, and of no other section", () => {
    const config = (line: string) =>
      `[mail]\npassword = "no"\n[database]\nhost = "h"\n${line}\n[x]\n`;
    assert.equal(configPassword(config('password = "a\\"b\\\\c"')), 'a"b\\c');
    assert.equal(configPassword(config("password = plain")), "plain");
    // As Matomo 5.0.2 wrote `a&b<c>"d$e'ü&amp;\f`.
    const written = `password = "a&amp;b&lt;c&gt;&quot;d&#36;e'&uuml;&amp;amp;\\f"`;
    assert.equal(configPassword(config(written)), `a&b<c>"d$e'ü&amp;\\f`);
    assert.equal(configPassword(config("port = 3306")), undefined);
  });
});
