/** The volumes of a site, as its claims and the cloud know them. */
import assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { VolumeRecord } from "../../local/standins/digitalocean-client";
import type { Live, Site } from "../api/harness";

export class Volumes {
  constructor(private readonly site: Site) {}

  claim(name: string): Promise<Live> {
    return this.site.get("pvc", name);
  }

  /** Loses the volume of a claim; its id. */
  async lose(claim: string): Promise<string> {
    const { spec } = await this.claim(claim);
    const handle = ["-o", "jsonpath={.spec.csi.volumeHandle}"];
    const id = await this.site.kubectl("get", "pv", spec.volumeName, ...handle);
    const url = `${this.site.cluster.cloudUrl}/test/volumes/${id}/lose`;
    const { ok, status } = await fetch(url, { method: "POST" });
    assert.ok(ok, `lose: HTTP ${status}`);
    return id;
  }

  /** All that the cloud has, by name. */
  async ofCloud(): Promise<Map<string, VolumeRecord>> {
    const response = await fetch(`${this.site.cluster.cloudUrl}/v2/volumes`);
    const { volumes } = (await response.json()) as { volumes: VolumeRecord[] };
    return new Map(volumes.map((volume) => [volume.name, volume]));
  }

  /** Every claim has a volume of its own, and there is no other. */
  async assertEachOnce(): Promise<void> {
    const claims = await this.site.list("pvc");
    const { items } = JSON.parse(await this.site.kubectl("get", "pv", "-o", "json"));
    const volumes = items as Live[];
    const names = volumes.map(({ metadata }) => metadata!.name!).sort();
    assert.deepEqual(claims.map(({ spec }) => spec.volumeName).sort(), names);
    assert.deepEqual([...(await this.ofCloud()).keys()].sort(), names);
    for (const { metadata, spec } of volumes) {
      const { id } = (await this.ofCloud()).get(metadata!.name!)!;
      assert.equal(spec.csi.volumeHandle, id);
    }
  }
}

/** The cloud's API, which takes every question and never answers those below a path. */
export async function withoutAnswer(
  silent: string,
  cloud: string,
): Promise<{ url: string; close(): void }> {
  const server = http.createServer((request, response) => {
    if (request.url!.startsWith(silent)) return;
    http.get(new URL(request.url!, cloud), (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}
