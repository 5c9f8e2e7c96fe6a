/**
 * The plugin stand-ins as processes: the engine finds them by name, reads a port, asks for the
 * version, and when it dies they die too: killed engines (issue 6) must leave no process behind.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { credentials } from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import * as services from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { writeStandIn } from "../../../local/standins/script";

for (const name of ["random", "digitalocean"]) {
  describe(`pulumi-resource-${name} as a process`, () => {
    let folder: string;
    let plugin: ChildProcess;

    beforeEach(async () => {
      folder = await fs.mkdtemp(path.join(os.tmpdir(), "stand-in-"));
      await writeStandIn(name, folder);
      // Started from elsewhere, as the engine does.
      const command = path.join(folder, `pulumi-resource-${name}`);
      plugin = spawn(command, ["127.0.0.1:1"], { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
    });

    afterEach(async () => {
      plugin.kill();
      await fs.rm(folder, { recursive: true });
    });

    it("prints a port, has the version of the SDK, and ends with the engine", async () => {
      assert.ok(plugin.stdout && plugin.stdin);
      const [port] = await once(createInterface(plugin.stdout), "line");
      const info = await pluginInfo(`127.0.0.1:${port}`);
      const sdk = await import(`@pulumi/${name}/package.json`);
      assert.equal(info.getVersion(), sdk.version);
      const ended = once(plugin, "exit");
      plugin.stdin.destroy();
      assert.deepEqual(await ended, [0, null]);
    });
  });
}

function pluginInfo(address: string): Promise<PluginInfo> {
  const client = new services.ResourceProviderClient(address, credentials.createInsecure());
  return new Promise<PluginInfo>((resolve, reject) => {
    client.getPluginInfo(new Empty(), (error, info) => (error ? reject(error) : resolve(info)));
  }).finally(() => client.close());
}
