/**
 * Issue 9, section 1, on a real node: a release of the old chart with visits, a user, settings and an
 * upload is adopted by the command as a person runs it. Its Secret has another password than the
 * database, as the old deploy script left it.
 *
 * Not a part of `npm test`: it measures a gap, which is honest on a quiet machine alone.
 * Run by: npm run test:adoption-node
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { after, before, describe, it } from "mocha";
import { openSite } from "../../local/node/site";
import { checkout } from "../../local/paths";
import { livePasswords } from "../adoption/bench";
import { installRelease, releases } from "../adoption/helm";
import { type Live, uids } from "../api/harness";
import { emptyNode, needsNode, type NodeSite, until } from "../node/harness";

/** The longest gap of a site that is adopted, in seconds. */
const TARGET_SECONDS = 30;
const VISITS = 20;

describe("adoption of a running release", () => {
  const passwords = livePasswords();
  let site: NodeSite;
  let released: Live[];
  let rows: string;
  let answered = 0;

  before(needsNode);
  before("the release runs, with data", async () => {
    site = await emptyNode();
    // The certificate of a live site is one that browsers trust.
    site.config = { ...site.config, "matomo:edge": { issuer: "production" } };
    const { kubeconfig } = site.cluster;
    const values = {
      passwords,
      domain: "matomo.local.example.com",
      email: "admin@local.example.com",
      archiveSchedule: "0 0 31 2 *",
      webArgs: [
        "bash",
        "-c",
        ". /etc/apache2/envvars; mkdir -p $APACHE_RUN_DIR; exec apache2 -DFOREGROUND",
      ],
    };
    await installRelease({ kubeconfig, values });
    const rollout = ["-n", "matomo", "--timeout=180s"];
    await site.kubectl("rollout", "status", "deployment/matomo", ...rollout);
    await site.kubectl("rollout", "status", "sts/matomo-mariadb", ...rollout);
    // The label that the old policy asks for, put there by hand as on the clusters.
    await site.kubectl("label", "namespace", "ingress-nginx", "name=ingress-nginx");
    const install = await fs.readFile(path.join(__dirname, "old-site.php"), "utf8");
    await site.shell("web", `cat >/tmp/old-site.php <<'PHP'\n${install}\nPHP`);
    await until("the database takes the password", 60, () =>
      site
        .shell("web", asOwner(`printf %s '${passwords.database}' | php /tmp/old-site.php`))
        .then(() => true)
        .catch(() => false),
    );
    await site.shell("web", asOwner("echo logo >/var/www/html/misc/user/logo.txt"));
    site.url = await openSite(site.cluster);
    for (let n = 0; n < VISITS; n++) assert.equal(await site.track(`b${n}`), 200);
    const wrong = { stringData: { "mariadb-password": "another-one-of-the-script" } };
    const patch = ["-n", "matomo", "-p", JSON.stringify(wrong)];
    await site.kubectl("patch", "secret", "matomo-mariadb", ...patch);
    released = await site.list("pvc,statefulset,deployment");
    rows = await site.shell("mariadb", root(passwords.root, ROWS));
  });
  after(() => site?.close());

  it("a rehearsal finds the password that opens the database, and shows none", async () => {
    const { stdout, exitCode, stderr } = await fleet(site, "adopt", "local");
    assert.equal(exitCode, 0, stderr + stdout);
    assert.match(stdout, /database refuses the mariadb-password of Secret matomo-mariadb/);
    assert.match(stdout, /config\.ini\.php opens it/);
    assert.match(stdout, /This was a rehearsal: nothing was touched/);
    for (const value of Object.values(passwords)) assert.ok(!(stdout + stderr).includes(value));
  });

  it(`is adopted with a proven backup, and away for less than ${TARGET_SECONDS} s`, async () => {
    const gaps = new Gaps(site);
    const { stdout, exitCode, stderr } = await fleet(site, "adopt", "local", "--yes");
    const { longest, visits } = await gaps.end();
    answered = visits;
    assert.equal(exitCode, 0, stderr + stdout);
    assert.match(stdout, /every object is the one that it was/);
    console.log(`      away for ${longest.toFixed(1)} s`);
    assert.ok(longest < TARGET_SECONDS, `${longest} s`);
    assert.equal(await provenBackups(site), 1);
  });

  it("every row, user, setting and upload is there, and every visit that was answered", async () => {
    assert.equal(await site.query(ROWS), rows);
    assert.ok((await site.visits()) >= VISITS + answered, `${answered} answered`);
    const config = await site.shell("web", "cat /state/config/config.ini.php");
    assert.match(config, /salt = "0123456789abcdef0123456789abcdef"/);
    assert.match(config, /host = "smtp\.example\.com"/);
    assert.equal((await site.shell("web", "cat /var/www/html/misc/user/logo.txt")).trim(), "logo");
  });

  it("claims, StatefulSet and Deployment are the ones that they were", async () => {
    assert.deepEqual(uids(await site.list("pvc,statefulset,deployment")), uids(released));
    assert.deepEqual(await releases(site.cluster.kubeconfig), []);
  });

  it("the Secret has the password that opens the database", async () => {
    const secret = await site.secret("matomo-mariadb");
    assert.equal(secret["mariadb-password"], passwords.database);
  });

  it("archives, backs up by itself, and the next up changes nothing", async () => {
    const archive = await site.runJob("matomo-archive", "archive-after");
    assert.ok(archive.succeeded, archive.log);
    const backup = await site.runJob("matomo-backup", "backup-after");
    assert.ok(backup.succeeded, backup.log);
    await site.expectUnchanged();
  });
});

/** What must be there unchanged: the visits from before, and who may log in. */
const ROWS =
  "SELECT COUNT(*) FROM (SELECT * FROM matomo_log_visit ORDER BY idvisit LIMIT 20) v; " +
  "SELECT login, email, password FROM matomo_user WHERE login <> 'anonymous'; " +
  "SELECT idsite, name, main_url FROM matomo_site";

function asOwner(script: string): string {
  return `setpriv --reuid=33 --regid=33 --clear-groups bash -c ${quoted(script)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Asks the old database, whose pod has no files with credentials. */
function root(password: string, sql: string): string {
  const options = `[client]\\nuser=root\\npassword="${password}"\\n`;
  const client =
    "mariadb --defaults-extra-file=/dev/stdin --batch --skip-column-names --raw matomo";
  return `printf '${options}' | ${client} --execute=${quoted(sql)}`;
}

/** Runs the command as a person does. */
async function fleet(site: NodeSite, ...args: string[]) {
  const file = await site.engine.stackFile("local", site.config);
  const pack = path.join(checkout, "policy", "run-policy");
  const command = ["--import", "tsx", path.join(checkout, "fleet", "index.ts"), ...args];
  const { stdout, stderr, exitCode } = await execa(
    "node",
    [...command, "--stacks", path.dirname(file)],
    {
      ...{ cwd: checkout, stdin: "ignore", reject: false, extendEnv: false },
      env: { ...site.engine.env, MATOMO_POLICY_PACK: pack },
    },
  );
  return { stdout: String(stdout), stderr: String(stderr), exitCode };
}

/** Backups on the backup volume, by the job's own list of proven ones. */
async function provenBackups(site: NodeSite): Promise<number> {
  const run = await site.runJob("matomo-backup", "count-backups", (job) => {
    const pod = job.spec.template.spec;
    pod.initContainers = [];
    pod.containers[0].command = ["bash", "-c", "ls -d /backup/20*Z/manifest.json"];
  });
  return run.log.split("\n").filter((line) => line.includes("manifest.json")).length;
}

/** Visits at a steady rate, and how long none was answered. */
class Gaps {
  private visits = 0;
  private longest = 0;
  private isOver = false;
  private readonly running: Promise<void>;

  constructor(private readonly site: NodeSite) {
    this.running = this.run();
  }

  async end(): Promise<{ longest: number; visits: number }> {
    this.isOver = true;
    await this.running;
    return { longest: this.longest, visits: this.visits };
  }

  private async run(): Promise<void> {
    let last = Date.now();
    while (!this.isOver) {
      const status = await this.site.track(`d${this.visits}`).catch(() => 0);
      if (status === 200) {
        this.visits++;
        this.longest = Math.max(this.longest, (Date.now() - last) / 1000);
        last = Date.now();
      }
      await delay(100);
    }
  }
}
