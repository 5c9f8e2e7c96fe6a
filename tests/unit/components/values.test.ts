/** The small pure functions: sizes, versions, annotations, checksums. */
import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { deadlineSeconds } from "../../../components/backup";
import { ingressAnnotations } from "../../../components/edge";
import { mountChecksum, scriptFiles } from "../../../components/pods";
import { half, mebibytes, parseMebibytes } from "../../../components/quantity";
import { compareVersions, imageVersion } from "../../../components/versions";

describe("sizes", () => {
  it("in MiB", () => {
    assert.equal(parseMebibytes("512Mi"), 512);
    assert.equal(parseMebibytes("10Gi"), 10240);
    assert.equal(parseMebibytes("1Ti"), 1048576);
  });
  it("are nothing else", () => {
    for (const text of ["", "1", "1G", "-1Gi", "0Gi", "1.5Gi", "1gi", " 1Gi"]) {
      assert.equal(parseMebibytes(text), undefined, text);
    }
    assert.throws(() => mebibytes("1G"), /"1G" is no size/);
  });
  it("halved for a request", () => assert.equal(half("1Gi"), "512Mi"));
});

describe("a backup's time", () => {
  it("grows with the database, and ends before the next night's", () => {
    const hours = (size: string) => deadlineSeconds(size) / 3600;
    assert.deepEqual(["512Mi", "8Gi", "20Gi", "1Ti"].map(hours), [4, 4, 10, 23]);
  });
});

describe("versions", () => {
  it("compare by number, not by text", () => {
    assert.ok(compareVersions("5.10.0", "5.9.9") > 0);
    assert.ok(compareVersions("11.8.3", "12.0.2") < 0);
    assert.equal(compareVersions("5.5.1", "5.5.1"), 0);
  });
  it("of an image, where its tag tells", () => {
    assert.equal(imageVersion("matomo:5.5.1-apache"), "5.5.1");
    assert.equal(imageVersion("registry.example.com:5000/mariadb:12.0.2"), "12.0.2");
    assert.equal(imageVersion(`mariadb:12.0.2@sha256:${"a".repeat(64)}`), "12.0.2");
    assert.equal(imageVersion("matomo:5-apache"), undefined);
    assert.equal(imageVersion(`matomo@sha256:${"a".repeat(64)}`), undefined);
  });
});

/** Those that ingress-nginx documents, of the ones that this program could want. */
const DOCUMENTED = [
  "force-ssl-redirect",
  "limit-burst-multiplier",
  "limit-connections",
  "limit-rps",
  "proxy-body-size",
  "proxy-connect-timeout",
  "proxy-read-timeout",
  "proxy-send-timeout",
  "ssl-ciphers",
  "ssl-redirect",
].map((name) => `nginx.ingress.kubernetes.io/${name}`);

describe("annotations of the Ingress", () => {
  const nginx = ingressAnnotations(20);

  it("are documented by the controller: ssl-protocols, rate-limit and others never worked", () => {
    const unknown = Object.keys(nginx).filter((name) => !DOCUMENTED.includes(name));
    assert.deepEqual(unknown, []);
  });
  it("carry TLS, the body size, the time-outs and the rate", () => {
    const value = (name: string) => nginx[`nginx.ingress.kubernetes.io/${name}`];
    assert.equal(value("force-ssl-redirect"), "true");
    assert.equal(value("proxy-body-size"), "100m");
    assert.equal(value("proxy-read-timeout"), "600");
    assert.equal(value("proxy-send-timeout"), "600");
    assert.equal(value("limit-rps"), "20");
  });
  it("are text, all of them: a number is refused by the API server", () => {
    assert.ok(Object.values(nginx).every((value) => typeof value === "string"));
  });
  it("are none for a controller that would not read them", () => {
    assert.deepEqual(ingressAnnotations(undefined), {});
  });
});

describe("the scripts of a pod", () => {
  it("are with those that they run, and those in turn", () => {
    const files = scriptFiles("backup.sh", "restore.sh");
    assert.deepEqual(Object.keys(files).sort(), [
      "backup-lib.sh",
      "backup.sh",
      "read-dump.pl",
      "restore.sh",
    ]);
    assert.match(files["read-dump.pl"], /^#!.*perl/);
  });
});

describe("the checksum over what a pod mounts", () => {
  const checksum = async (...mounted: Record<string, pulumi.Input<string>>[]) => {
    const output = pulumi.output(mountChecksum(...mounted)["matomo-fleet/mounts"]);
    const value = await new Promise<string>((resolve) => output.apply(resolve));
    return { value, secret: await pulumi.isSecret(output) };
  };
  const secret = { password: pulumi.secret("s3cret") };

  it("changes with each part and with nothing else", async () => {
    const first = await checksum({ "php.ini": "a" }, secret);
    assert.equal((await checksum({ "php.ini": "a" }, secret)).value, first.value);
    assert.notEqual((await checksum({ "php.ini": "b" }, secret)).value, first.value);
    assert.notEqual((await checksum({ "php.ini": "a" }, { password: "other" })).value, first.value);
  });
  it("is readable in a preview although a password is in it", async () => {
    const { value, secret: hidden } = await checksum(secret);
    assert.match(value, /^[0-9a-f]{64}$/);
    assert.equal(hidden, false);
  });
});
