/** The embedded cluster's flags and files: loopback only, and no token where others could read it. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import * as controlPlane from "../../../local/control-plane";
import { baseObjects, nodeNames } from "../../../local/objects";

describe("control plane", () => {
  let folder: string;

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "control-plane-"));
    controlPlane.writeCredentials(folder);
    fs.writeFileSync(path.join(folder, "apiserver.crt"), "certificate");
  });

  after(() => fs.rmSync(folder, { recursive: true }));

  const daemons = () => [
    controlPlane.etcdDaemon(folder, "/etcd"),
    controlPlane.apiServerDaemon("/kubernetes", 12345),
    ...controlPlane.controllerDaemons("/kubernetes", "/kwok"),
  ];

  it("listens on the loopback or on a socket in the state folder", () => {
    const flags = daemons().flatMap(({ args }) => args);
    const listening = flags.filter((flag) => /(listen|bind|advertise|secure-port)/.test(flag));
    assert.ok(listening.length >= 8);
    for (const flag of listening) {
      assert.match(flag, /=(unix:\/\/etcd|127\.0\.0\.1$|0$|12345$)/, flag);
    }
  });

  it("gives each client a token of its own that is on no command line", () => {
    const users = ["matomo-local", ...controlPlane.componentUsers] as const;
    const tokens = users.map((user) => controlPlane.token(folder, user));
    assert.equal(new Set(tokens).size, 5);
    const commands = JSON.stringify(daemons());
    tokens.forEach((token) => assert.ok(token.length >= 32 && !commands.includes(token)));
  });

  it("keeps keys and tokens from other users, and keeps them over a second start", () => {
    const files = ["service-account.key", "tokens.csv"];
    const content = () => files.map((file) => fs.readFileSync(path.join(folder, file), "utf8"));
    const first = content();
    controlPlane.writeCredentials(folder);
    assert.deepEqual(content(), first);
    for (const file of files) {
      assert.equal(fs.statSync(path.join(folder, file)).mode & 0o777, 0o600, file);
    }
  });

  it("writes a kubeconfig for its owner alone", () => {
    const file = path.join(folder, "kubeconfig");
    controlPlane.writeKubeconfig(folder, "matomo-local", 12345, file);
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const config = parse(fs.readFileSync(file, "utf8"));
    assert.equal(config["current-context"], "matomo-local");
    assert.equal(config.clusters[0].cluster.server, "https://127.0.0.1:12345");
    assert.equal(config.clusters[0].cluster["certificate-authority-data"], btoa("certificate"));
    assert.equal(config.users[0].user.token, controlPlane.token(folder, "matomo-local"));
  });

  it("leaves a kubeconfig alone that is right, for whoever is reading it", () => {
    const file = path.join(folder, "same");
    controlPlane.writeKubeconfig(folder, "matomo-local", 1, file);
    const { ino } = fs.statSync(file);
    controlPlane.writeKubeconfig(folder, "matomo-local", 1, file);
    assert.equal(fs.statSync(file).ino, ino);
    controlPlane.writeKubeconfig(folder, "matomo-local", 2, file);
    assert.notEqual(fs.statSync(file).ino, ino);
  });

  it("logs who changed what without the bodies, which hold secrets", () => {
    const policy = parse(fs.readFileSync(path.join(folder, "audit-policy.yaml"), "utf8"));
    const levels = policy.rules.map(({ level }: { level: string }) => level);
    assert.deepEqual([...new Set(levels)].sort(), ["Metadata", "None"]);
  });

  it("brings what a DOKS cluster has", () => {
    const names = baseObjects().map(({ kind, metadata }) => `${kind}/${metadata?.name}`);
    assert.deepEqual(names, [
      "CSIDriver/dobs.csi.digitalocean.com",
      "StorageClass/do-block-storage",
      "StorageClass/do-block-storage-retain",
      "IngressClass/nginx",
      "GatewayClass/cilium",
      ...nodeNames.flatMap((name) => [`Node/${name}`, `CSINode/${name}`]),
    ]);
  });
});
