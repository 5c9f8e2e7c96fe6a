/**
 * A whole site in a sandbox: the database, the web pod's three containers in their order, and the
 * jobs, each with the mounts and the environment that the components give them.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { databaseCapacity, OPCACHE_MIB, webCapacity } from "../../../components/capacity";
import { serverOptions } from "../../../components/database";
import { type RenderArgs, webConfig } from "../../../components/web-config";
import { eventually, seconds } from "../../waits";
import { type Container, type Result, type Running, Sandbox } from "./sandbox";

export const SCRIPTS = path.resolve(__dirname, "../../../components/scripts");
const IMAGES = path.resolve(__dirname, "../../../local/images");
export const WEB_USER = 33;
export const DATABASE_USER = 999;
export const HOST = "matomo.example.com";
export const ARCHIVE_TOKEN = "0123456789abcdef0123456789abcdef";
export const STATE_TOKEN = "state-token-of-the-test-0123456789abcdef";

/** Matomo's code: the real one that MATOMO_DIST names, or the look-alike. */
export const DIST = process.env.MATOMO_DIST ?? path.resolve(__dirname, "../../lookalike/matomo");
/** Whether it is the real one. */
export const REAL = process.env.MATOMO_DIST !== undefined;

/** As much as the settings' defaults give: 4 workers in a pod of 1 GiB. */
const capacity = webCapacity(1024, 4);
if (typeof capacity === "string") throw new Error(capacity);
/** What they give PHP. */
export const CAPACITY = capacity;

/** What the components are given, by default. */
export const RENDER: RenderArgs = {
  hosts: [HOST],
  website: { name: "Website", url: `https://${HOST}`, timezone: "UTC" },
  database: { host: "matomo-mariadb", port: 3306, name: "matomo", prefix: "matomo_" },
  ...capacity,
  opcacheMib: OPCACHE_MIB,
  archiveSeconds: 2900,
  proxies: ["127.0.0.1/32"],
  geoip: false,
  privacy: { anonymizeIp: 2 },
  plugins: { install: [], disabled: [] },
  config: {},
};

type Mounts = Container["mounts"];

/** Whether a process's environment (or command line) holds a text. */
function holds(pid: number, text: string, file: "environ" | "cmdline" = "environ"): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, "latin1").includes(text);
  } catch {
    return false; // it ended meanwhile
  }
}

export class Site {
  readonly sandbox = new Sandbox();
  database?: Running;
  /** Whose server it is: another one takes over the data folder at its next start. */
  databaseImage: Container["image"] = "mariadb";
  /** Memory limit of the database's container in MiB. */
  databaseMemoryMib = 1024;
  web?: Running;
  /** Where the image's code is; a test may put another version there. */
  code = DIST;
  private directories!: Record<"state" | "html" | "webTmp" | "data" | "backup", string>;

  async start(): Promise<void> {
    await this.sandbox.start();
    const { sandbox } = this;
    this.directories = {
      state: sandbox.volume("state", WEB_USER),
      html: sandbox.volume("html", WEB_USER),
      webTmp: sandbox.volume("web-tmp", WEB_USER),
      data: sandbox.volume("data", DATABASE_USER),
      backup: sandbox.volume("backup", DATABASE_USER),
    };
    sandbox.files("secrets", {
      "matomo/matomo-username": "admin",
      "matomo/matomo-password": 'pass"word\\with $pecial & <chars>',
      "matomo/matomo-email": "admin@example.com",
      "matomo/archive-token": ARCHIVE_TOKEN,
      "mariadb/mariadb-username": "mariadb-admin",
      "mariadb/mariadb-root-password": "root'of\\the\"database",
      "mariadb/mariadb-password": 'data"base\\$pass#word;',
      "backup/state-token": STATE_TOKEN,
    });
    this.configure({});
  }

  /** Path of a file on one of the volumes. */
  path(volume: keyof Site["directories"], ...parts: string[]): string {
    return path.join(this.directories[volume], ...parts);
  }

  /** Writes the generated configuration, with some of the settings changed. */
  configure(changed: Partial<RenderArgs>): void {
    this.sandbox.files("config", webConfig({ ...RENDER, ...changed }));
  }

  secret(name: string): string {
    return fs.readFileSync(path.join(this.sandbox.dir, "secrets", name), "utf8");
  }

  private webContainer(command: string[], secrets: string[]): Container {
    const { dir } = this.sandbox;
    const mounts: Container["mounts"] = {
      "/usr/src/matomo": `${this.code}:ro`,
      "/var/www/html": this.directories.html,
      "/state": this.directories.state,
      "/tmp": this.directories.webTmp,
      "/opt/matomo/scripts": `${SCRIPTS}:ro`,
      "/opt/matomo/config": `${path.join(dir, "config")}:ro`,
    };
    for (const name of secrets) {
      mounts[`/run/secrets/${name}`] = `${path.join(dir, "secrets", name)}:ro`;
    }
    return {
      image: "matomo",
      user: WEB_USER,
      mounts,
      env: { PHP_INI_SCAN_DIR: ":/opt/matomo/config" },
      command,
    };
  }

  layout(): Promise<Result> {
    return this.sandbox.run(this.webContainer(["bash", "/opt/matomo/scripts/layout.sh"], []));
  }
  spawnInstall(): Promise<Running> {
    const command = ["php", "/opt/matomo/scripts/install.php"];
    return this.sandbox.spawn(this.webContainer(command, ["matomo", "mariadb"]));
  }
  async install(): Promise<Result> {
    return (await this.spawnInstall()).finished;
  }
  /** Runs a command beside Apache, as `kubectl exec` does. */
  exec(...command: string[]): Promise<Result> {
    return this.sandbox.run(this.webContainer(command, ["backup"]));
  }
  console(...command: string[]): Promise<Result> {
    return this.exec("php", "/var/www/html/console", "--no-ansi", ...command);
  }

  /** Apache, until it answers. */
  async startWeb(): Promise<void> {
    const web = await this.sandbox.spawn(
      this.webContainer(["bash", "/opt/matomo/scripts/web-start.sh"], ["backup"]),
    );
    this.web = web;
    const answers = async () =>
      web.exitCode !== null ||
      (await this.http("GET", "http://matomo:8082/matomo.php")).status === 200;
    await eventually("Apache", answers, "serverAnswers");
    if (web.exitCode !== null) throw new Error(`Apache ended:\n${web.output()}`);
  }
  async stopWeb(signal: NodeJS.Signals = "SIGTERM"): Promise<Result> {
    this.web!.kill(signal);
    return this.web!.finished;
  }

  /** Everything from nothing to a running site; throws with the output of what failed. */
  async up(): Promise<void> {
    await this.startDatabase();
    for (const step of [() => this.layout(), () => this.install()]) {
      const result = await step();
      if (result.status !== 0) throw new Error(result.output);
    }
    await this.startWeb();
  }

  private mariadb(command: string[], env: Record<string, string> = {}): Container {
    const { dir } = this.sandbox;
    return {
      image: this.databaseImage,
      user: DATABASE_USER,
      mounts: {
        "/var/lib/mysql": this.directories.data,
        "/backup": this.directories.backup,
        "/opt/matomo/scripts": `${SCRIPTS}:ro`,
        "/run/secrets/mariadb": `${path.join(dir, "secrets/mariadb")}:ro`,
        "/run/secrets/backup": `${path.join(dir, "secrets/backup")}:ro`,
      },
      env,
      command,
    };
  }

  /**
   * The server as its pod starts it, by the entrypoint of the image's stand-in; `programs` stand before
   * those of the image.
   */
  async spawnDatabase(programs: Record<string, string> = {}): Promise<Running> {
    const capacity = databaseCapacity(this.databaseMemoryMib, CAPACITY.workers);
    if (typeof capacity === "string") throw new Error(capacity);
    const { sandbox } = this;
    const text = (...parts: string[]) => fs.readFileSync(path.join(...parts), "utf8");
    const standIn = path.join(IMAGES, "mariadb", "entrypoint.sh");
    const entrypoint = text(process.env.MARIADB_ENTRYPOINT ?? standIn);
    const own = { "docker-entrypoint.sh": entrypoint, ...programs };
    const made = { "database-made.sh": text(SCRIPTS, "database-made.sh") };
    const secret = (key: string) => `/run/secrets/mariadb/mariadb-${key}`;
    const container = this.mariadb(["bash", "/opt/matomo/scripts/database-start.sh"], {
      MARIADB_DATABASE: "matomo",
      MARIADB_USER_FILE: secret("username"),
      MARIADB_PASSWORD_FILE: secret("password"),
      MARIADB_ROOT_PASSWORD_FILE: secret("root-password"),
      MARIADB_AUTO_UPGRADE: "1",
    });
    const options = { "99-matomo.cnf": serverOptions(capacity) };
    Object.assign(container.mounts, {
      "/etc/mysql/conf.d": `${sandbox.files("mariadb-conf", options)}:ro`,
      "/usr/local/bin": `${sandbox.files("mariadb-image", own, 0o555)}:ro`,
      "/docker-entrypoint-initdb.d": `${sandbox.files("first-start", made, 0o555)}:ro`,
      "/run/mysqld": sandbox.volume("mariadb-run", DATABASE_USER),
    });
    this.database = await sandbox.spawn(container);
    return this.database;
  }
  /** What an operator tells a database whose first start was cut short, beside the server. */
  beginDatabaseAnew(): Promise<Result> {
    const command = ["bash", "/opt/matomo/scripts/database-start.sh", "anew"];
    return this.sandbox.run(this.mariadb(command, { MARIADB_DATABASE: "matomo" }));
  }
  async startDatabase(): Promise<void> {
    const database = await this.spawnDatabase();
    const answers = async () => database.exitCode !== null || (await this.sql("DO 1")).status === 0;
    await eventually("MariaDB", answers, "serverAnswers");
    if (database.exitCode !== null) throw new Error(`MariaDB ended:\n${database.output()}`);
  }
  async stopDatabase(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.database!.kill(signal);
    await this.database!.finished;
  }

  /** Runs SQL as Matomo's user, or as root, whom the server lets in beside it alone. */
  sql(statement: string, user: "mariadb-admin" | "root" = "mariadb-admin"): Promise<Result> {
    const [where, key] =
      user === "root"
        ? ["-S /run/mysqld/mysqld.sock", "mariadb-root-password"]
        : ["-h matomo-mariadb", "mariadb-password"];
    const script = `mariadb --no-defaults ${where} -u ${user} -p"$PASSWORD" -N -B -r matomo`;
    const env = { PASSWORD: this.secret(`mariadb/${key}`) };
    const container = this.mariadb(["bash", "-c", script], env);
    container.mounts["/run/mysqld"] = this.sandbox.volume("mariadb-run", DATABASE_USER);
    return this.sandbox.run({ ...container, input: statement });
  }
  /** The one value that a query gives; throws when it fails. */
  async value(statement: string, user?: "root"): Promise<string> {
    const { status, output } = await this.sql(statement, user);
    if (status !== 0) throw new Error(output);
    return output.trimEnd();
  }

  /** One request from inside the sandbox's network. */
  async http(
    method: "GET" | "POST",
    url: string,
    options: { headers?: Record<string, string>; data?: string } = {},
  ): Promise<{ status: number; headers: string; body: string }> {
    const headers = { Host: HOST, "X-Forwarded-Proto": "https", ...options.headers };
    const command = ["curl", "-sS", "-i", "-X", method];
    command.push("--max-time", String(seconds("requestAnswered")));
    for (const [name, value] of Object.entries(headers)) command.push("-H", `${name}: ${value}`);
    if (options.data !== undefined) command.push("--data", options.data);
    const result = await this.sandbox.run({ user: 65534, mounts: {}, command: [...command, url] });
    const [head, ...body] = result.output.split("\r\n\r\n");
    const status = Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1] ?? 0);
    return { status, headers: head, body: body.join("\r\n\r\n") };
  }

  async archive(env: Record<string, string> = {}): Promise<Result> {
    return (await this.spawnArchive(env)).finished;
  }
  spawnArchive(env: Record<string, string> = {}, mounts: Mounts = {}): Promise<Running> {
    const secrets = `${path.join(this.sandbox.dir, "secrets/matomo")}:ro`;
    return this.sandbox.spawn({
      image: "matomo",
      user: WEB_USER,
      mounts: {
        "/opt/matomo/scripts": `${SCRIPTS}:ro`,
        "/run/secrets/matomo": secrets,
        ...mounts,
      },
      env: { MATOMO_URL: "http://matomo:8082", MATOMO_HOST: HOST, ...env },
      command: ["bash", "/opt/matomo/scripts/archive.sh"],
    });
  }

  private readonly backupEnv = {
    HOSTNAME: "matomo-backup-1",
    DATABASE_HOST: "matomo-mariadb",
    DATABASE_NAME: "matomo",
    TABLE_PREFIX: "matomo_",
    RETENTION_DAYS: "30",
    SITE_HOST: HOST,
    STATE_URL: "http://matomo-state:8081",
  };
  private backupContainer(script: string, env: Record<string, string>, mounts: Mounts): Container {
    const command = ["bash", `/opt/matomo/scripts/${script}`];
    const container = this.mariadb(command, { ...this.backupEnv, ...env });
    // The init container is the image that has curl.
    if (script === "fetch-state.sh") container.image = "matomo";
    return { ...container, mounts: { ...container.mounts, ...mounts } };
  }
  fetchState(env: Record<string, string> = {}, mounts: Mounts = {}): Promise<Result> {
    return this.sandbox.run(this.backupContainer("fetch-state.sh", env, mounts));
  }
  spawnBackup(env: Record<string, string> = {}, mounts: Mounts = {}): Promise<Running> {
    return this.sandbox.spawn(this.backupContainer("backup.sh", env, mounts));
  }
  /** What the Jobs of `fleet backups` run on the volume. */
  async onVolume(script: string, ...words: string[]): Promise<Result> {
    return (await this.spawnOnVolume({}, script, ...words)).finished;
  }
  /** The same; `programs` stand before those of the image. */
  spawnOnVolume(
    programs: Record<string, string>,
    script: string,
    ...words: string[]
  ): Promise<Running> {
    const { env, mounts } = this.sandbox.shims(programs);
    const { command, ...container } = this.backupContainer(script, env, mounts);
    return this.sandbox.spawn({ ...container, command: [...command, ...words] });
  }
  private give(volume: "backup", user: number): void {
    spawnSync("chown", ["-R", `${user}:${user}`, this.directories[volume]]);
  }
  /** Both containers of the job, as kubelet runs them. */
  async backup(env: Record<string, string> = {}): Promise<Result> {
    this.give("backup", DATABASE_USER);
    const state = await this.fetchState(env);
    if (state.status !== 0) return state;
    const { status, output } = await (await this.spawnBackup(env)).finished;
    return { status, output: state.output + output };
  }
  async restore(env: Record<string, string>, mounts: Mounts = {}): Promise<Result> {
    return (await this.spawnRestore(env, mounts)).finished;
  }
  /** With the web pod's user: kubelet hands it the backup volume by the pod's fsGroup. */
  spawnRestore(env: Record<string, string>, mounts: Mounts = {}): Promise<Running> {
    this.give("backup", WEB_USER);
    const container = this.mariadb(["bash", "/opt/matomo/scripts/restore.sh"], {
      ...this.backupEnv,
      ...env,
    });
    Object.assign(container.mounts, { "/state": this.directories.state, ...mounts });
    return this.sandbox.spawn({ ...container, user: WEB_USER });
  }
  /** What looks like a backup. */
  backups(): string[] {
    return fs.readdirSync(this.directories.backup).filter((name) => !name.startsWith("."));
  }

  /** Processes of the sandbox whose environment (or command line) holds a text. */
  pidsWith(text: string, file?: "environ" | "cmdline"): number[] {
    return this.sandbox.processes().filter((pid) => holds(pid, text, file));
  }

  /** Kills them all, and waits until they are gone. */
  killAll(text: string, file?: "environ" | "cmdline"): Promise<void> {
    return this.sandbox.killAll((pid) => holds(pid, text, file));
  }

  dispose(): Promise<void> {
    return this.sandbox.dispose();
  }
}
