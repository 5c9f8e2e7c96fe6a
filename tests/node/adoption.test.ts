/**
 * Issue 9, section 1, on a real node: a release of the old chart with visits, a user, settings and an
 * upload is adopted by the command as a person runs it. Its Secret has another password than the
 * database, as the old deploy script left it. Then it is given back to Helm.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { openSite } from "../../local/node/site";
import { livePasswords } from "../adoption/bench";
import { installRelease, releases } from "../adoption/helm";
import { endOrphans, type Live, uids } from "../api/harness";
import { benchOf, type FleetBench, type Ending } from "../fleet/bench";
import { eventually, within } from "../waits";
import { emptyNode, type NodeSite, Visitors } from "./harness";

const VISITS = 20;

describe("adoption of a running release", () => {
  const passwords = livePasswords();
  let site: NodeSite;
  let bench: FleetBench;
  let released: Live[];
  let rows: string;
  /** Number of the last page view before the adoption. */
  let lastView: number;
  let oldPlugins: string;
  let oldConfig: string;
  let answered: string[] = [];

  before("the release runs, with data", async () => {
    site = await emptyNode();
    // The certificate of a live site is one that browsers trust.
    site.config = { ...site.config, "matomo:edge": { issuer: "production" } };
    bench = await benchOf(site);
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
    await rolledOut();
    // The label that the old policy asks for, put there by hand as on the clusters.
    await site.kubectl("label", "namespace", "ingress-nginx", "name=ingress-nginx");
    const install = await fs.readFile(path.join(__dirname, "old-site.php"), "utf8");
    await site.shell("web", `cat >/tmp/old-site.php <<'PHP'\n${install}\nPHP`);
    const installed = () =>
      site.shell("web", asOwner(`printf %s '${passwords.database}' | php /tmp/old-site.php`));
    await eventually(
      "the database takes the password",
      () => installed().then(() => true),
      "podReady",
    );
    await site.shell(
      "web",
      asOwner("mkdir -p /var/www/html/misc/user && echo logo >/var/www/html/misc/user/logo.txt"),
    );
    const extra = "/var/www/html/plugins/Extra";
    const described = `{"name": "Extra", "version": "1.0.0"}`;
    await site.shell("web", asOwner(`mkdir ${extra} && echo '${described}' >${extra}/plugin.json`));
    site.url = await openSite(site.cluster);
    for (let n = 0; n < VISITS; n++) assert.equal(await site.track(`b${n}`), 200);
    const wrong = { stringData: { "mariadb-password": "another-one-of-the-script" } };
    const patch = ["-n", "matomo", "-p", JSON.stringify(wrong)];
    await site.kubectl("patch", "secret", "matomo-mariadb", ...patch);
    released = await site.list("pvc,statefulset,deployment");
    // All that there are by now, and later those up to the last of them.
    const all = (await site.shell("mariadb", root(passwords.root, views()))).split("\n");
    assert.equal(all.length, VISITS);
    lastView = Number(all.at(-1)!.split("\t")[0]);
    rows = await site.shell("mariadb", root(passwords.root, kept(lastView)));
    assert.deepEqual(rows.split("\n").slice(0, VISITS), all);
    oldPlugins = await site.shell("web", "ls /var/www/html/plugins");
    oldConfig = await site.shell("web", "cat /var/www/html/config/config.ini.php");
    assert.match(oldConfig, /proxy_client_headers/);
  });
  after(() => site?.close());

  async function rolledOut(): Promise<void> {
    for (const workload of ["deployment/matomo", "sts/matomo-mariadb"]) {
      const where = ["-n", "matomo", within("rolloutEnds")];
      await site.kubectl("rollout", "status", workload, ...where);
    }
  }

  it("a rehearsal finds the password that opens the database, and shows none", async () => {
    const { stdout, exitCode, stderr } = await bench.run("adopt", "local");
    assert.equal(exitCode, 0, stderr + stdout);
    assert.match(stdout, /database refuses the mariadb-password of Secret matomo-mariadb/);
    assert.match(stdout, /config\.ini\.php opens it/);
    assert.match(stdout, /This was a rehearsal: nothing was touched/);
    for (const value of Object.values(passwords)) assert.ok(!(stdout + stderr).includes(value));
  });

  it("is adopted with a proven backup", async () => {
    const visitors = new Visitors(site, "d");
    const longest = await visitors.during("adoption", async () => {
      const { stdout, exitCode, stderr } = await bench.run("adopt", "local", "--yes");
      assert.equal(exitCode, 0, stderr + stdout);
      assert.match(stdout, /every object is the one that it was/);
    });
    await visitors.end();
    answered = visitors.answered;
    console.log(`      away for ${longest.toFixed(1)} s`);
    assert.equal(await provenBackups(site), 1);
  });

  it("every row, user, setting and upload is there, and every visit that was answered", async () => {
    assert.equal(await site.query(kept(lastView)), rows);
    assert.ok(answered.length > 20);
    assert.deepEqual(await site.lost(answered), []);
    const config = await site.shell("web", "cat /state/config/config.ini.php");
    assert.match(config, /salt = "0123456789abcdef0123456789abcdef"/);
    assert.match(config, /host = "smtp\.example\.com"/);
    assert.doesNotMatch(config, /proxy_client_headers/);
    assert.equal((await site.shell("web", "cat /var/www/html/misc/user/logo.txt")).trim(), "logo");
    assert.match(
      await site.shell("web", "cat /var/www/html/added-plugins/Extra/plugin.json"),
      /1\.0\.0/,
    );
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
    await site.geoDatabaseIsNotDue();
    const archive = await site.runJob("matomo-archive", "archive-after");
    assert.ok(archive.succeeded, archive.log);
    const backup = await site.runJob("matomo-backup", "backup-after");
    assert.ok(backup.succeeded, backup.log);
    await site.expectUnchanged();
  });

  it("undo gives the site back to Helm's pods: every visit, the old code, its configuration", async () => {
    const visits = await site.visits();
    const { stdout, exitCode, stderr } = await bench.run("adopt", "local", "--undo", "--yes");
    assert.equal(exitCode, 0, stderr + stdout);
    assert.deepEqual(await releases(site.cluster.kubeconfig), ["matomo"]);
    await rolledOut();
    assert.equal(await site.shell("web", "ls /var/www/html/plugins"), oldPlugins);
    const config = await site.shell("web", "cat /var/www/html/config/config.ini.php");
    assert.equal(config, oldConfig);
    assert.equal((await site.shell("web", "cat /var/www/html/misc/user/logo.txt")).trim(), "logo");
    const count = "SELECT COUNT(*) FROM matomo_log_visit";
    assert.equal((await site.shell("mariadb", root(passwords.root, count))).trim(), `${visits}`);
    await eventually("the old pod tracks", async () => {
      assert.equal(await site.track("undone"), 200);
      return true;
    });
  });

  it("adopted again, and killed while it backs up and while its pods change, it loses no row", async () => {
    const visitors = new Visitors(site, "e");
    const kill = async (words: string) => {
      const ending: Ending = { words: `local: ${words}`, signal: "SIGKILL" };
      const env = { FLEET_ENDING: JSON.stringify(ending) };
      const { exitCode, stderr } = await bench.runWith(
        { detached: true, env },
        ...["adopt", "local", "--yes"],
      );
      assert.equal(exitCode, undefined, stderr);
      await endOrphans(site.engine.env.PULUMI_HOME!);
    };
    await kill("proven backup");
    await kill("update Deployment");
    await site.pulumi(["cancel", "--yes"]);
    await visitors.during("adoption", async () => {
      const { stdout, exitCode, stderr } = await bench.run("adopt", "local", "--yes");
      assert.equal(exitCode, 0, stderr + stdout);
    });
    await visitors.end();
    assert.ok(visitors.answered.length > 20);
    assert.deepEqual(await site.lost([...answered, ...visitors.answered]), []);
    assert.equal(await site.query(kept(lastView)), rows);
    await site.expectUnchanged();
  });
});

/** What must be there unchanged: each page view from before, and who may log in. */
function kept(lastView: number): string {
  return (
    `${views(`WHERE idlink_va <= ${lastView}`)}; ` +
    "SELECT login, email, password FROM matomo_user WHERE login <> 'anonymous'; " +
    "SELECT idsite, name, main_url FROM matomo_site"
  );
}

function views(which = ""): string {
  const columns = "idlink_va, idvisit, server_time";
  return `SELECT ${columns} FROM matomo_log_link_visit_action ${which} ORDER BY idlink_va`;
}

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

/** Backups on the backup volume, by the job's own list of proven ones. */
async function provenBackups(site: NodeSite): Promise<number> {
  const run = await site.runJob("matomo-backup", "count-backups", (job) => {
    const pod = job.spec.template.spec;
    pod.initContainers = [];
    pod.containers[0].command = ["bash", "-c", "ls -d /backup/20*Z/manifest.json"];
  });
  return run.log.split("\n").filter((line) => line.includes("manifest.json")).length;
}
