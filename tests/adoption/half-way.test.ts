/**
 * Issue 9, section 1: what a live release may look like besides the one of the chart. Each state has
 * a message that says what was found, and a way on. One release; each test leaves it as it found it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "mocha";
import { type Live, uids, wanted } from "../api/harness";
import { within } from "../waits";
import { type AdoptionBench, releasedSite, rolledOut, SCHEDULES, settled } from "./bench";
import { installRelease, releases } from "./helm";

const HOST = "matomo.local.example.com";
const DATABASE_SECRET: [kind: string, name: string] = ["secret", "matomo-mariadb"];

/** The database's Service with this target. */
const databasePort = (targetPort: string | number) => ({
  spec: { ports: [{ name: "mysql", port: 3306, targetPort }] },
});

describe("a release that is not as it should be", () => {
  let bench: AdoptionBench;
  let released: Live[];

  before(async () => {
    const values = { domain: HOST, email: "admin@local.example.com" };
    bench = await releasedSite({ stack: "local", values });
    released = await bench.objects();
  });
  after(() => bench?.site.close());

  const kubectl = (...args: string[]) => bench.site.kubectl(...args, "-n", "matomo");
  const patch = (kind: string, name: string, body: object) =>
    kubectl("patch", kind, name, "--type=merge", "-p", JSON.stringify(body));

  /** Works with an object that is patched so, and then patches it back, whatever came of the work. */
  async function patched(
    [kind, name]: [string, string],
    body: object,
    back: object,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await patch(kind, name, body);
      await work();
    } finally {
      await patch(kind, name, back);
    }
  }

  /** An adoption is refused with this, and this alone, and touches nothing. */
  async function assertBlocked(words: RegExp): Promise<void> {
    const objects = wanted(await bench.objects());
    const refused = await bench.adopt().catch((error: Error) => error.message);
    assert.ok(typeof refused === "string", "it was adopted");
    assert.match(refused, /cannot be adopted as it is, and nothing was touched/);
    assert.match(refused, words);
    assert.equal(refused.match(/^ {2}- /gm)?.length, 1, refused);
    assert.deepEqual(wanted(await bench.objects()), objects);
  }

  async function notes(): Promise<string> {
    const { plan } = await bench.rehearse();
    assert.deepEqual(plan.blockers, []);
    return plan.notes.join("\n");
  }

  /** Works with other settings of the stack. */
  async function withSettings(config: Record<string, unknown>, work: () => Promise<void>) {
    const own = bench.site.config;
    bench.site.config = { ...own, ...config };
    await work().finally(() => (bench.site.config = own));
  }

  /** Works with other answers of the pods. */
  async function withPods(pods: Partial<AdoptionBench["pods"]>, work: () => Promise<void>) {
    const own = { ...bench.pods };
    Object.assign(bench.pods, pods);
    await work().finally(() => Object.assign(bench.pods, own));
  }

  /** A record of another release, like the site's own. */
  async function recordRelease(name: string): Promise<void> {
    const record = await bench.site.get("secret", "sh.helm.release.v1.matomo.v1");
    const labels = { ...record.metadata!.labels, name };
    const metadata = { name: `sh.helm.release.v1.${name}.v1`, namespace: "matomo", labels };
    const other = JSON.stringify({ ...record, metadata });
    await bench.site.cluster.kubectl(["create", "-f", "-"], other);
  }

  const removeRecords = (name: string) =>
    kubectl("delete", "secret", "-l", `owner=helm,name=${name}`);

  it("is adoptable to begin with", async () => {
    assert.deepEqual((await bench.rehearse()).plan.blockers, []);
  });

  describe("passwords", () => {
    it("a Secret that the database refuses: the one of config.ini.php is taken", async () => {
      const accepted = { ...bench.pods.accepted, "mariadb-admin": "of-the-first-install" };
      await withPods({ accepted, configured: "of-the-first-install" }, async () => {
        const found = await notes();
        assert.match(found, /refuses the mariadb-password of Secret matomo-mariadb/);
        assert.match(found, /config\.ini\.php opens it/);
        assert.doesNotMatch(found, /of-the-first-install/);
        const { plan, passwords } = await bench.rehearse();
        assert.equal(passwords["database-password"], "of-the-first-install");
        const secret = plan.entries.find(({ object }) => object === "Secret/matomo-mariadb");
        assert.ok(secret?.changes.some(({ path }) => path === "data.mariadb-password"));
      });
    });

    it("no password that opens it: stops, and says what was tried", async () => {
      const accepted = { ...bench.pods.accepted, "mariadb-admin": "nobody knows" };
      await withPods({ accepted }, () =>
        assertBlocked(/no password opens the database.*tried: Secret matomo-mariadb, config\.ini/),
      );
    });

    it("a Secret without the database's password: the one of config.ini.php is taken", async () => {
      const { "mariadb-password": value } = await bench.site.secret("matomo-mariadb");
      const back = { stringData: { "mariadb-password": value } };
      await patched(DATABASE_SECRET, { data: { "mariadb-password": null } }, back, async () => {
        assert.match(await notes(), /has no key mariadb-password; the one of config\.ini\.php/);
      });
    });

    it("a Secret without root's password, which is nowhere else: stops", async () => {
      const { "mariadb-root-password": value } = await bench.site.secret("matomo-mariadb");
      const back = { stringData: { "mariadb-root-password": value } };
      await patched(DATABASE_SECRET, { data: { "mariadb-root-password": null } }, back, () =>
        assertBlocked(/no key mariadb-root-password.*kubectl edit/),
      );
    });

    it("an archive-token that is none: the next up makes one", async () => {
      const token = { stringData: { "archive-token": "changeme" } };
      await patched(["secret", "matomo"], token, { data: { "archive-token": null } }, async () => {
        assert.match(await notes(), /no valid archive-token/);
      });
    });

    it("an administrator of another name: stops", async () => {
      const user = (name: string) => ({ stringData: { "matomo-username": name } });
      await patched(["secret", "matomo"], user("root"), user("admin"), () =>
        assertBlocked(/called root, in the settings admin.*config set matomo:username root/),
      );
    });
  });

  describe("versions", () => {
    it("a newer MariaDB than the settings': never a downgrade", () =>
      withPods({ mariadb: "12.3.1" }, () =>
        assertBlocked(/mariadb\.version: found "12\.0\.2".*12\.3\.1.*config set --path/),
      ));

    it("a database of a newer Matomo than the image's: never a downgrade", () =>
      withPods({ matomo: "5.8.0" }, () =>
        assertBlocked(/matomo\.version: found "5\.5\.1".*5\.8\.0/),
      ));

    it("an older Matomo than the settings': says that there is no way back from the upgrade", () =>
      withPods({ matomo: "5.3.2" }, async () => {
        assert.match(await notes(), /upgraded from 5\.3\.2 to 5\.5\.1, and --undo cannot.*5\.3\.2/);
      }));

    it("with the settings set to it, it is adopted as it runs", () =>
      withPods({ matomo: "5.8.0" }, () =>
        withSettings({ "matomo:matomo": { version: "5.8.0" } }, async () => {
          await notes();
        }),
      ));
  });

  describe("the way in", () => {
    it("a second host name that the settings lack: stops, and names the setting", async () => {
      const { spec } = await bench.site.get("ingress", "matomo");
      const second = { ...spec.rules[0], host: "stats.example.org" };
      const rules = (all: object[]) => ({ spec: { rules: all } });
      const [both, one] = [rules([...spec.rules, second]), rules(spec.rules)];
      await patched(["ingress", "matomo"], both, one, async () => {
        await assertBlocked(/also answers as stats\.example\.org.*'matomo:aliases\[0\]'/);
        await withSettings({ "matomo:aliases": ["stats.example.org"] }, async () => {
          await notes();
        });
      });
    });

    it("a trusted certificate that staging would replace: stops", () =>
      withSettings({ "matomo:edge": { issuer: "staging" } }, () =>
        assertBlocked(/letsencrypt-prod.*edge\.issuer production/),
      ));
  });

  describe("Helm", () => {
    it("two releases that own parts of it: stops, and warns of helm uninstall", async () => {
      const key = "meta.helm.sh/release-name";
      const owner = (name: string) => ({ metadata: { annotations: { [key]: name } } });
      await patched(["service", "matomo"], owner("matomo-old"), owner("matomo"), async () => {
        try {
          await recordRelease("matomo-old");
          await assertBlocked(
            /2 releases \(matomo, matomo-old\)|2 releases \(matomo-old, matomo\)/,
          );
        } finally {
          // The way on.
          await removeRecords("matomo-old");
        }
        await notes();
      });
    });

    it("another release beside it: says what comes over its pods", async () => {
      const { kubeconfig } = bench.site.cluster;
      try {
        await recordRelease("redis");
        assert.match(await notes(), /release redis .* is in namespace matomo too/);
      } finally {
        await removeRecords("redis");
      }
      assert.deepEqual(await releases(kubeconfig), ["matomo"]);
    });

    it("an upgrade that is under way, or was killed: stops", async () => {
      const record = "sh.helm.release.v1.matomo.v1";
      const status = (value: string) => ({ metadata: { labels: { status: value } } });
      for (const [now, said] of [
        ["pending-upgrade", /is pending-upgrade \(revision 1\).*helm rollback matomo/],
        ["uninstalling", /is uninstalling \(revision 1\).*helm rollback matomo/],
      ] as const) {
        await patched(["secret", record], status(now), status("deployed"), () =>
          assertBlocked(said),
        );
      }
    });

    it("objects of it that the program does not have: what holds nothing goes, the rest is named", async () => {
      // As a newer chart would have brought them.
      const { kubeconfig } = bench.site.cluster;
      const own = { domain: HOST, email: "admin@local.example.com", ...SCHEDULES };
      const install = (extras: boolean) =>
        installRelease({ kubeconfig, values: { passwords: bench.passwords, ...own, extras } });
      try {
        await install(true);
        const { plan } = await bench.rehearse();
        const find = (action: string) =>
          plan.entries.filter((entry) => entry.action === action).map(({ object }) => object);
        assert.deepEqual(find("delete"), ["ConfigMap/matomo-extra"]);
        assert.deepEqual(find("leave"), ["Secret/matomo-smtp"]);
        assert.equal(plan.release?.records, 2);
      } finally {
        await install(false);
      }
    });
  });

  describe("objects", () => {
    it("a hand-edited Deployment: taken over, and the plan says whose edits go", async () => {
      const edit = "--field-manager=kubectl-edit";
      try {
        await kubectl("set", "env", "deployment/matomo", "DEBUG=1", edit);
        await kubectl("annotate", "deployment/matomo", "note=mine", edit, "--overwrite");
        const { plan } = await bench.rehearse();
        assert.deepEqual(plan.blockers, []);
        const { notes, changes } = plan.entries.find(
          ({ object }) => object === "Deployment/matomo",
        )!;
        assert.match(notes.join(), /edited by hand \(kubectl-edit\)/);
        assert.ok(changes.some(({ path }) => path === "metadata.annotations.note"));
      } finally {
        await kubectl("set", "env", "deployment/matomo", "DEBUG-", edit);
        await kubectl("annotate", "deployment/matomo", "note-");
        await rolledOut(bench.site, "deployment/matomo");
      }
    });

    it("a web Deployment that was scaled to 0: stops, and says how to bring it up", async () => {
      const scale = (replicas: number) =>
        kubectl("scale", "deployment/matomo", `--replicas=${replicas}`);
      try {
        await scale(0);
        await assertBlocked(
          /is scaled to 0: .*kubectl -n matomo scale deployment\/matomo --replicas=1/,
        );
      } finally {
        await scale(1);
        await rolledOut(bench.site, "deployment/matomo");
      }
    });

    it("an object that drifted from what Helm applied: the live one counts", async () => {
      const service = ["service", "matomo-mariadb"] as [string, string];
      await patched(service, databasePort(3307), databasePort("mysql"), async () => {
        const { plan } = await bench.rehearse();
        const { changes } = plan.entries.find(({ object }) => object === "Service/matomo-mariadb")!;
        assert.ok(changes.some(({ before }) => before?.includes("3307")));
      });
    });

    it("no database pod that is ready: stops, as no password can be tried", async () => {
      try {
        await kubectl("scale", "sts/matomo-mariadb", "--replicas=0");
        await kubectl("wait", "--for=delete", "pod/matomo-mariadb-0", within("podGone"));
        await assertBlocked(/no ready pod of StatefulSet matomo-mariadb/);
      } finally {
        await kubectl("scale", "sts/matomo-mariadb", "--replicas=1");
        await rolledOut(bench.site, "sts/matomo-mariadb");
      }
    });

    it("a larger volume than the settings': a claim never shrinks", () =>
      withSettings({ "matomo:storage": { data: "5Gi" } }, () =>
        assertBlocked(/storage\.data: found "5Gi"; allowed: 10Gi or more/),
      ));

    it("a claim that is not Bound: stops, and says how to look", async () => {
      const volume = (await bench.site.get("pvc", "matomo-backup")).spec.volumeName;
      await kubectl("delete", "pvc", "matomo-backup", "--wait=false");
      await kubectl("wait", "--for=delete", "pvc/matomo-backup", within("controllerActs"));
      const lost = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "matomo-backup", namespace: "matomo" },
        spec: {
          accessModes: ["ReadWriteOnce"],
          storageClassName: "do-block-storage",
          volumeName: `${volume}-lost`,
          resources: { requests: { storage: "20Gi" } },
        },
      };
      try {
        await bench.site.cluster.kubectl(["apply", "-f", "-"], JSON.stringify(lost));
        await assertBlocked(
          /claim matomo-backup is Pending, not Bound.*kubectl -n matomo delete pvc/,
        );
      } finally {
        // The way on.
        await kubectl("delete", "pvc", "matomo-backup", within("controllerActs"));
      }
      await notes();
    });

    it("a namespace that was the program's once: it gets its old identity back", async () => {
      const key = "matomo-fleet/identity";
      try {
        await bench.site.kubectl("annotate", "ns", "matomo", `${key}=00000000000000aa`);
        // Adopted with an empty state, it is that site's again, under its old identity.
        assert.equal((await bench.rehearse()).identity, "00000000000000aa");
      } finally {
        await bench.site.kubectl("annotate", "ns", "matomo", `${key}-`);
      }
    });
  });

  describe("afterwards", () => {
    it("nothing of all that was in the state or in a saved file", async () => {
      assert.deepEqual(await bench.resources(), []);
      assert.ok(!existsSync(bench.journalPath));
      const data = (objects: Live[]) =>
        objects
          .filter(({ kind }) => kind === "PersistentVolumeClaim")
          .filter(({ metadata }) => metadata!.name !== "matomo-backup")
          .map(({ metadata }) => metadata!.uid);
      assert.deepEqual(data(await bench.objects()), data(released));
    });
  });

  describe("adopted after all, with", () => {
    const ALIAS = "stats.example.org";
    let edited: Live[];

    before(async () => {
      const edit = "--field-manager=kubectl-edit";
      await kubectl("set", "env", "deployment/matomo", "DEBUG=1", edit);
      await kubectl("annotate", "deployment/matomo", "note=mine", edit);
      await kubectl("set", "env", "sts/matomo-mariadb", "DEBUG=1", edit);
      await patch("service", "matomo-mariadb", databasePort(3307));
      const { spec } = await bench.site.get("ingress", "matomo");
      const second = { ...spec.rules[0], host: ALIAS };
      await patch("ingress", "matomo", { spec: { rules: [...spec.rules, second] } });
      await settled(bench.site);
      edited = await bench.site.list("pvc,sts,deployment");
      bench.site.config = { ...bench.site.config, "matomo:aliases": [ALIAS] };
      await bench.adopt();
    });

    it("the same objects", async () => {
      const { "PersistentVolumeClaim/matomo-backup": made, ...now } = uids(
        await bench.site.list("pvc,sts,deployment"),
      );
      assert.deepEqual(now, uids(edited));
      assert.ok(made, "the claim for the backup, which was lost above");
    });

    it("a hand-edited Deployment and StatefulSet: nothing of the edits is left", async () => {
      for (const kind of ["deployment/matomo", "sts/matomo-mariadb"]) {
        const { metadata, spec } = await bench.site.get(...(kind.split("/") as [string, string]));
        assert.doesNotMatch(JSON.stringify(spec), /DEBUG/, kind);
        assert.equal(metadata!.annotations?.note, undefined, kind);
      }
    });

    it("a drifted Service: as the program wants it", async () => {
      const { ports } = (await bench.site.get("service", "matomo-mariadb")).spec;
      assert.deepEqual(
        ports.map(({ targetPort }: Live) => targetPort),
        ["mariadb"],
      );
    });

    it("a second host name: both are served", async () => {
      const { rules } = (await bench.site.get("ingress", "matomo")).spec;
      assert.deepEqual(rules.map(({ host }: Live) => host).sort(), [HOST, ALIAS].sort());
    });

    it("nothing for the next up to change", () => bench.site.expectUnchanged());
  });
});
