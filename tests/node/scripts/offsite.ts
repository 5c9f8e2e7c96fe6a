/**
 * An S3 server in a site's sandbox, whose objects are files of a folder, and what reaches it: restic, with
 * the shell and the few programs that its official image has.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { offsiteCredentials } from "../../../components/credentials";
import { restic, versitygw } from "../../../local/artefacts";
import { ensureArtefact } from "../../../local/toolchain";
import { busybox, ensureTool } from "../../tools";
import { eventually } from "../../waits";
import type { Container, Result, Running } from "./sandbox";
import { DATABASE_USER, HOST, SCRIPTS, type Site, WEB_USER } from "./site";

const NOBODY = 65534;
const PORT = 9000;
const BUCKET = "backups";
/** Whose the bucket is. */
export const KEY = {
  accessKeyId: "DO00TESTKEYOFTHEBUCKET",
  secretAccessKey: "s3cret/of+the=bucket0123456789",
};
export const PASSWORD = "password0of1the2repository3456789";
/** A repository in the bucket, as restic names it. */
export const repository = (prefix: string) => `s3:http://localhost:${PORT}/${BUCKET}/${prefix}`;
/** Environment in which restic gives up after ten tries instead of a quarter of an hour. */
export const IMPATIENT = { RESTIC_FEATURES: "backend-error-redesign=false" };
const PROGRAMS = "/usr/local/bin";
const RESTIC = "/opt/restic/restic";

/** Programs of restic's image by their names, and where each is in the stand-in that has this root. */
export function imagePrograms(root: string): [name: string, file: string][] {
  const list = spawnSync("chroot", [root, "/bin/busybox", "--list"]).stdout.toString();
  // With which the sandbox begins, as the machine has it.
  const applets = list.split("\n").filter((applet) => applet && applet !== "setpriv");
  return [
    ...applets.map((applet): [string, string] => [applet, "/bin/busybox"]),
    // Debian's busybox has no flock, Alpine's has.
    ["flock", "/usr/bin/flock"],
    ["restic", RESTIC],
  ];
}

export class Offsite {
  server?: Running;
  private programs!: string;
  private root!: string;
  private resticFolder!: string;

  constructor(private readonly site: Site) {}

  /** Makes the bucket, and starts the server. */
  async start(): Promise<void> {
    this.root = path.join(await ensureTool(busybox), "root");
    this.resticFolder = await ensureArtefact(restic);
    this.programs = this.links("programs", {});
    fs.mkdirSync(this.folder());
    fs.chownSync(this.folder(), NOBODY, NOBODY);
    this.credentials();
    await this.serve();
  }

  /** What is in the pod's Secret, with some of it changed. */
  credentials(changed: Partial<typeof KEY & { password: string }> = {}): void {
    const { password = PASSWORD, ...key } = changed;
    this.site.sandbox.files("secrets/offsite", {
      credentials: offsiteCredentials({ ...KEY, ...key }),
      "repository-password": password,
    });
  }

  async serve(): Promise<void> {
    const server = await this.site.sandbox.spawn({
      user: NOBODY,
      mounts: { "/opt/s3": `${await ensureArtefact(versitygw)}:ro`, "/srv": this.served() },
      env: { ROOT_ACCESS_KEY: KEY.accessKeyId, ROOT_SECRET_KEY: KEY.secretAccessKey },
      command: ["/opt/s3/versitygw", "-p", `127.0.0.1:${PORT}`, "--quiet", "posix", "/srv"],
    });
    this.server = server;
    const answers = async () =>
      server.exitCode !== null ||
      (await this.site.http("GET", `http://localhost:${PORT}/`)).status > 0;
    await eventually("the S3 server", answers, "serverAnswers");
    assert.equal(server.exitCode, null, server.output());
  }
  async stop(): Promise<void> {
    this.server!.kill("SIGKILL");
    await this.server!.finished;
  }

  private served(): string {
    return this.site.sandbox.volume("s3", NOBODY);
  }
  /** A folder of the bucket, or the bucket's own. */
  folder(...parts: string[]): string {
    return path.join(this.served(), BUCKET, ...parts);
  }
  /** Takes away what is stored, or a folder of the repository. */
  clear(folder?: string): void {
    const dir = folder === undefined ? this.folder() : this.folder(HOST, folder);
    if (!fs.existsSync(dir)) return;
    for (const entry of fs.readdirSync(dir)) {
      fs.rmSync(path.join(dir, entry), { recursive: true });
    }
  }
  /** What is stored in a folder of the repository, the largest first: data, snapshots, locks. */
  stored(folder: string): string[] {
    const dir = this.folder(HOST, folder);
    // An empty folder is none.
    if (!fs.existsSync(dir)) return [];
    return fs
      .readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort((a, b) => fs.statSync(b).size - fs.statSync(a).size);
  }
  packs(): string[] {
    return this.stored("data");
  }

  /** The folder of an image's programs, the test's own before them; `$restic` is the real one. */
  private links(name: string, own: Record<string, string>): string {
    const scripts = Object.entries(own).map(([program, script]) => [
      program,
      `#!${PROGRAMS}/sh\nrestic=${RESTIC}\n${script}\n`,
    ]);
    const dir = this.site.sandbox.files(
      name,
      Object.fromEntries(scripts) as Record<string, string>,
      0o755,
    );
    for (const [program, file] of imagePrograms(this.root)) {
      if (!(program in own)) fs.symlinkSync(file, path.join(dir, program));
    }
    return dir;
  }

  /** One of the scripts that reach the repository, with programs of the test's own. */
  spawn(
    script: string,
    { env = {}, words = [], programs, user = DATABASE_USER, volume, tmp }: Options = {},
  ): Promise<Running> {
    const { site } = this;
    const backup = volume ?? site.path("backup");
    const container: Container = {
      image: { root: this.root },
      user,
      mounts: {
        [PROGRAMS]: `${programs ? this.links("held-programs", programs) : this.programs}:ro`,
        "/opt/restic": `${this.resticFolder}:ro`,
        "/backup": script === "fetch-offsite.sh" ? backup : `${backup}:ro`,
        "/opt/matomo/scripts": `${SCRIPTS}:ro`,
        "/run/secrets/offsite": `${path.join(site.sandbox.dir, "secrets/offsite")}:ro`,
        ...(tmp !== undefined && { "/tmp": tmp }),
      },
      env: {
        HOSTNAME: "matomo-backup-1",
        RESTIC_REPOSITORY: repository(HOST),
        AWS_DEFAULT_REGION: "us-east-1",
        ...env,
      },
      command: [
        ...[`${PROGRAMS}/env`, `PATH=${PROGRAMS}`, "sh", `/opt/matomo/scripts/${script}`],
        ...words,
      ],
    };
    return site.sandbox.spawn(container);
  }
  /** The job's second step, to its end. */
  async bring(options?: Options): Promise<Result> {
    return (await this.spawnBring(options)).finished;
  }
  spawnBring(options: Options = {}): Promise<Running> {
    const env = { RETENTION_DAYS: "30", SITE_HOST: HOST, ...options.env };
    const volume = options.volume ?? this.site.path("backup");
    spawnSync("chown", ["-R", `${DATABASE_USER}:${DATABASE_USER}`, volume]);
    return this.spawn("offsite.sh", { ...options, env });
  }
  /** Brings a backup back onto the volume, as the restore's user. */
  async fetch(backup: string, { volume, tmp }: Options = {}): Promise<Result> {
    const env = { OFFSITE_BACKUP: backup };
    // kubelet hands it the volume by the pod's fsGroup.
    const folder = volume ?? this.site.path("backup");
    spawnSync("chown", ["-R", `${WEB_USER}:${WEB_USER}`, folder]);
    const options = { env, user: WEB_USER, volume, tmp };
    return (await this.spawn("fetch-offsite.sh", options)).finished;
  }
  /** Names of the backups that are listed as proven, oldest first. */
  async proven(): Promise<string[]> {
    const lines = await this.list();
    return lines.flatMap((line) => (typeof line.offsite === "string" ? [line.offsite] : []));
  }
  async list(env?: Record<string, string>): Promise<Record<string, unknown>[]> {
    const { status, output } = await (await this.spawn("list-offsite.sh", { env })).finished;
    assert.equal(status, 0, output);
    return output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

interface Options {
  env?: Record<string, string>;
  /** The script's arguments. */
  words?: string[];
  programs?: Record<string, string>;
  user?: number;
  /** The backup volume. Default: the site's. */
  volume?: string;
  /** What the pod's containers have in common for temporary files. Default: one of its own. */
  tmp?: string;
}
