/** Which failures of kubectl say that nothing was carried out: those alone are tried again. */
import * as assert from "node:assert/strict";
import { execa } from "execa";
import { wasRefused } from "../../../local/cluster";

/** The error of a command that says this and fails. */
const failure = (stderr: string, stdout = "") =>
  execa("sh", ["-c", 'printf %s "$1"; printf %s "$2" >&2; exit 1', "sh", stdout, stderr]).catch(
    (error: unknown) => error,
  );

const SERVER =
  "The connection to the server 127.0.0.1:31999 was refused - did you specify the right host or port?";
const NODE = "dial tcp 10.240.0.1:10250: connect: connection refused";

describe("a kubectl that was refused", () => {
  for (const text of [
    SERVER,
    `E1129 memcache.go:265] "Unhandled Error" err="..."\n${SERVER}\n`,
    "Unable to connect to the server: dial tcp 127.0.0.1:31999: connect: connection refused",
    `Error from server: error dialing backend: ${NODE}`,
    `Error from server: Get "https://10.240.0.1:10250/containerLogs/matomo/x/web": ${NODE}`,
  ]) {
    it(`by: ${text.trim().split("\n").at(-1)}`, async () => {
      assert.equal(wasRefused(await failure(text)), true);
    });
  }

  for (const text of [
    `${SERVER}\ncommand terminated with exit code 7`,
    'Error from server (InternalError): Internal error occurred: failed calling webhook "x": failed ' +
      "to call webhook: dial tcp 10.96.0.7:443: connect: connection refused",
    "Error from server: etcdserver: request timed out",
    "error: timed out waiting for the condition on pods/matomo-mariadb-0",
  ]) {
    it(`not by: ${text.replace("\n", " / ")}`, async () => {
      assert.equal(wasRefused(await failure(text)), false);
    });
  }

  it("not when it had said that something was done", async () => {
    assert.equal(wasRefused(await failure(SERVER, "pod/one created\n")), false);
    assert.equal(wasRefused(new Error(SERVER)), false);
  });
});
