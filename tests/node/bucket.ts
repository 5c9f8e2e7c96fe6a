/**
 * A bucket off the cluster: a real S3 server in a node's network, whose objects outlive the node, and restic's
 * image for the pods that reach it. Its certificate is its own, and the image trusts no other.
 */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { restic, versitygw } from "../../local/artefacts";
import { node } from "../../local/node/config";
import { importImage, inNodeNetwork } from "../../local/node/node";
import { ensureArtefact } from "../../local/toolchain";
import { RESTIC_IMAGE } from "../../components/versions";
import { certificateOf } from "../certificate";
import { busybox, ensureTool } from "../tools";
import { eventually } from "../waits";
import type { NodeSite } from "./harness";
import { imagePrograms, KEY } from "./scripts/offsite";

const PORT = 9000;
const BUCKET = "backups";

export class Bucket {
  private folder!: string;
  private server?: { end: AbortController; ended: Promise<unknown> };

  async make(): Promise<void> {
    this.folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-bucket-"));
    await fs.mkdir(this.file("objects", BUCKET), { recursive: true });
    const { key, cert } = await certificateOf(node.ip);
    await fs.writeFile(this.file("key.pem"), key, { mode: 0o600 });
    await fs.writeFile(this.file("cert.pem"), cert);
  }

  /** Settings of a stack that brings its backups here. */
  settings(): Record<string, string> {
    return { endpoint: `https://${node.ip}:${PORT}`, bucket: BUCKET, ...KEY };
  }

  /** Serves a site's node, which has restic's image from then on. */
  async serve({ cluster }: NodeSite): Promise<void> {
    await this.bringImage(cluster.folder);
    const program = path.join(await ensureArtefact(versitygw), "versitygw");
    const tls = ["--cert", this.file("cert.pem"), "--key", this.file("key.pem")];
    const address = `${node.ip}:${PORT}`;
    const command = [program, "-p", address, ...tls, "--quiet", "posix", this.file("objects")];
    const end = new AbortController();
    let failure: unknown;
    const env = { ROOT_ACCESS_KEY: KEY.accessKeyId, ROOT_SECRET_KEY: KEY.secretAccessKey };
    const ended = inNodeNetwork(cluster.folder, command, { env, cancelSignal: end.signal }).catch(
      (error: unknown) => (failure = error),
    );
    this.server = { end, ended };
    const connect = `require("net").connect(${PORT}, "${node.ip}", () => process.exit())`;
    const answers = async () => {
      if (failure !== undefined) return true;
      await inNodeNetwork(cluster.folder, [process.execPath, "-e", connect]);
      return true;
    };
    await eventually("the S3 server", answers, "serverAnswers");
    if (failure !== undefined) throw failure;
  }

  /** Ends the server; what it has stays. */
  async stop(): Promise<void> {
    this.server?.end.abort();
    await this.server?.ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    await fs.rm(this.folder, { recursive: true, force: true });
  }

  private file(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  private async bringImage(cluster: string): Promise<void> {
    const root = path.join(await ensureTool(busybox), "root");
    const programs = this.file("programs");
    await fs.rm(programs, { recursive: true, force: true });
    await fs.mkdir(programs);
    for (const [name, file] of imagePrograms(root)) {
      await fs.symlink(file, path.join(programs, name));
    }
    await importImage(cluster, {
      name: RESTIC_IMAGE,
      contents: [
        { from: root, to: "." },
        { from: programs, to: "usr/local/bin" },
        { from: path.join(await ensureArtefact(restic), "restic"), to: "opt/restic/restic" },
        { from: this.file("cert.pem"), to: "etc/ssl/certs/ca-certificates.crt" },
      ],
      settings: { Env: ["PATH=/usr/local/bin"], Entrypoint: ["restic"] },
    });
  }
}
