/**
 * No ReadWriteOnce volume is mounted by the pods of two workloads, or twice by one.
 *
 * The archive job mounted the web pod's claim and stuck in ContainerCreating with Multi-Attach
 * (incident 2). Told apart by claim name, by claim template (`data-matomo-mariadb-0`), by two claims
 * on one PersistentVolume and by two volumes with one handle. Where pods are pinned to one node,
 * sharing is safe, except for ReadWriteOncePod.
 */
import { View } from "../core/data";
import { orElse } from "../core/logic";
import { KubeObject } from "../core/objects";
import { pinnedTogether } from "../core/placement";
import { Judge, stackRule } from "../core/rule";
import { runsSeveral, Scales } from "../core/scale";
import { settings } from "../core/settings";
import { push, Stack } from "../core/stack";
import { Volumes } from "../core/volumes";
import { claimNames, Workload } from "../core/workloads";

interface Mount {
  workload: Workload;
  /** namespace/name */
  claim: string;
  at: View;
  /** Made by this workload's claim template: each pod has its own, so it owns the volume. */
  isOwn?: boolean;
  /** The spec of the claim template that makes the claim, whoever mounts it. */
  template?: View;
}

/** The earlier, the more the volume is the workload's own; the later one is told as the intruder. */
const KINDS = ["StatefulSet", "Deployment", "ReplicaSet", "DaemonSet", "Pod", "CronJob", "Job"];

export default stackRule({
  name: "rwo-volume-not-shared",
  title: "A ReadWriteOnce volume has one workload",
  description: "No ReadWriteOnce volume is mounted by the pods of two workloads, or twice by one.",
  level: "mandatory",
  severity: "critical",
  incidents: [2, 13],
  remediation:
    "Reach the data through the workload that mounts it (HTTP, a Service), use a ReadWriteMany class, or pin both pods to one node.",
  url: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes",
  settings: settings({}),

  checkStack(stack, judge) {
    const volumes = new Volumes(stack);
    const scales = new Scales(stack);
    const mounts = collect(stack, judge, scales);
    const groups = new Map<string, Mount[]>();
    for (const mount of mounts) {
      push(groups, volumes.identity(mount.claim), mount);
    }
    // One claim of open identity is no danger; beside another it may turn out to be the same volume.
    if (new Set(mounts.map((mount) => mount.claim)).size > 1) {
      for (const { object, unknown } of volumes.open) {
        judge(object, () => {
          throw unknown;
        });
      }
    }
    for (const group of groups.values()) {
      judgeGroup(group.sort(byOwnership), { stack, volumes, scales, judge });
    }
  },
});

function collect(stack: Stack, judge: Judge, scales: Scales): Mount[] {
  const mounts: Mount[] = [];
  const templates = new Map<string, Mount>();
  for (const workload of stack.workloads.filter((w) => w.kind === "StatefulSet")) {
    judge(workload.object, () => {
      for (const template of workload.object.view.at("spec", "volumeClaimTemplates").list()) {
        const base = `${template.at("metadata", "name").text()}-${workload.object.name()}`;
        const claim = `${workload.object.namespace()}/${base}`;
        templates.set(claim, {
          workload,
          claim,
          at: template,
          isOwn: true,
          template: template.at("spec"),
        });
      }
    });
  }
  const used = new Set<string>();
  for (const workload of stack.workloads) {
    judge(workload.object, () => {
      const own = new Set<string>();
      for (const at of claimNames(workload)) {
        judge(workload.object, () => {
          const claim = `${workload.object.namespace()}/${at.text()}`;
          if (own.has(claim) || !hasPods(workload, scales)) {
            return;
          }
          own.add(claim);
          const owner = ownerByTemplate(claim, templates, scales);
          mounts.push({ workload, claim, at, template: owner?.template });
          if (owner && !used.has(claim)) {
            used.add(claim);
            mounts.push({ ...owner, claim });
          }
        });
      }
    });
  }
  for (const claim of stack.all("PersistentVolumeClaim")) {
    judge(claim, () => {
      const owner = ownerByTemplate(claim.key(), templates, scales);
      if (owner && !used.has(claim.key())) {
        mounts.push({ ...owner, claim: claim.key() });
      }
    });
  }
  return mounts;
}

/** A workload that is scaled to nothing mounts nothing. */
function hasPods(workload: Workload, scales: Scales): boolean {
  return KINDS.indexOf(workload.kind) > 2 || scales.largest(workload) > 0;
}

/** The StatefulSet that makes a claim of this name for one of its pods. */
function ownerByTemplate(
  claim: string,
  templates: Map<string, Mount>,
  scales: Scales,
): Mount | undefined {
  const [, base, ordinal] = /^(.*)-(\d+)$/.exec(claim) ?? [];
  const owner = templates.get(base);
  if (!owner) {
    return undefined;
  }
  const first = owner.workload.object.view.at("spec", "ordinals", "start").number() ?? 0;
  const index = Number(ordinal) - first;
  return index >= 0 && index < scales.largest(owner.workload) ? owner : undefined;
}

function byOwnership(a: Mount, b: Mount): number {
  return ownership(a) - ownership(b) || (a.workload.object.urn < b.workload.object.urn ? -1 : 1);
}

function ownership({ workload, claim, isOwn }: Mount): number {
  if (isOwn) {
    return -2;
  }
  const name = orElse(() => workload.object.name(), "");
  return claim.endsWith(`/${name}`) ? -1 : KINDS.indexOf(workload.kind);
}

interface Context {
  stack: Stack;
  volumes: Volumes;
  scales: Scales;
  judge: Judge;
}

function judgeGroup(group: Mount[], context: Context): void {
  const { judge, volumes, scales, stack } = context;
  const sharing = group.map((mount) => mount.workload);
  group.forEach((mount, i) => {
    if (volumes.allowsMany(mount.claim, mount.template)) {
      return;
    }
    const { workload } = mount;
    const onePod = volumes.allowsOnePodOnly(mount.claim, mount.template);
    const apart = (other: Workload) => onePod || !pinnedTogether(workload, other, sharing, stack);
    judge(workload.object, () => {
      const several = mount.isOwn ? undefined : runsSeveral(workload, scales);
      return several && apart(workload) ? alone(mount, several) : undefined;
    });
    const others = group.slice(0, i).filter((other) => other.workload.object !== workload.object);
    for (const other of others) {
      const culprit = culpritOf(mount, other, volumes);
      judge(culprit.object, () =>
        apart(other.workload) ? shared(mount, other, culprit) : undefined,
      );
    }
  });
}

/** Where two claims or two volumes are one, the object that makes them one is at fault. */
function culpritOf(
  mount: Mount,
  other: Mount,
  volumes: Volumes,
): { object: KubeObject; at: string } {
  const own = { object: mount.workload.object, at: mount.at.path };
  if (mount.claim === other.claim) {
    return own;
  }
  const volume = volumes.volume(mount.claim);
  if (volume && volume !== volumes.volume(other.claim)) {
    return { object: volume, at: "spec.csi.volumeHandle" };
  }
  const claim = volumes.claim(mount.claim);
  return claim ? { object: claim, at: "spec.volumeName" } : own;
}

const FIX =
  "A ReadWriteOnce volume attaches to one node: give the data to one workload and let the others ask it over the network, or pin their pods to its node";

function alone(mount: Mount, several: string) {
  return {
    at: mount.at,
    found: `claim ${mount.claim} is mounted by several of its own pods, since ${several}`,
    fix: `${FIX}.`,
  };
}

function shared(mount: Mount, other: Mount, culprit: { at: string }) {
  const same = mount.claim === other.claim ? "" : `, the same volume as claim ${other.claim}`;
  return {
    at: culprit.at,
    found: `claim ${mount.claim}${same}, is mounted by ${mount.workload.object.words} and by ${other.workload.object.words}`,
    fix: `${FIX}.`,
  };
}
