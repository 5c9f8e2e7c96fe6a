/**
 * No ReadWriteOnce volume is mounted by the pods of two workloads, or twice by one.
 *
 * The archive job mounted the web pod's claim and stuck in ContainerCreating with Multi-Attach
 * (incident 2), and so does a second replica, as a rollout's second pod did (incident 13). Told apart
 * by claim name, by claim template (`data-matomo-mariadb-0`), by two claims on one PersistentVolume and
 * by two volumes with one handle. Where pods are pinned to one node, sharing is safe, except for
 * ReadWriteOncePod.
 */
import { claimTemplates, firstOrdinal } from "../core/claim-templates";
import { View } from "../core/data";
import { orElse } from "../core/logic";
import { KubeObject } from "../core/objects";
import { pinnedTogether } from "../core/placement";
import { Fault, Judge, stackRule } from "../core/rule";
import { hasPods, runsSeveral, Scales } from "../core/scale";
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
const KINDS = [
  "StatefulSet",
  "Deployment",
  "ReplicaSet",
  "ReplicationController",
  "DaemonSet",
  "Pod",
  "CronJob",
  "Job",
];

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
    const mounts = collect(stack, volumes, scales, judge);
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

/** Who mounts which claim: by its name, and by the claim template that makes it. */
function collect(stack: Stack, volumes: Volumes, scales: Scales, judge: Judge): Mount[] {
  const mounts = stack.workloads.flatMap((workload) => mountsOf(workload, scales, judge));
  const claims = new Set(mounts.map(({ claim }) => claim));
  const owners = ownersOf([...claims, ...volumes.named], templatesOf(stack, judge), scales, judge);
  const made = mounts.map((mount) => ({ ...mount, template: owners.get(mount.claim)?.template }));
  return [...made, ...owners.values()];
}

/** What a workload's pods mount by name; the same claim twice in one pod is one mount. */
function mountsOf(workload: Workload, scales: Scales, judge: Judge): Mount[] {
  const mounts = new Map<string, Mount>();
  const { object } = workload;
  judge(object, () => {
    for (const at of claimNames(workload)) {
      judge(object, () => {
        const claim = `${object.namespace()}/${at.text()}`;
        if (!mounts.has(claim) && hasPods(workload, scales)) {
          mounts.set(claim, { workload, claim, at });
        }
      });
    }
  });
  return [...mounts.values()];
}

/** Claim templates by what the names of their claims begin with. */
function templatesOf(stack: Stack, judge: Judge): Map<string, Mount> {
  const templates = new Map<string, Mount>();
  for (const workload of stack.workloads.filter((w) => w.kind === "StatefulSet")) {
    judge(workload.object, () => {
      for (const { at, spec, prefix } of claimTemplates(workload.object)) {
        templates.set(prefix, { workload, claim: prefix, at, isOwn: true, template: spec });
      }
    });
  }
  return templates;
}

/** The StatefulSets that make claims of these names for their pods. */
function ownersOf(
  claims: string[],
  templates: Map<string, Mount>,
  scales: Scales,
  judge: Judge,
): Map<string, Mount> {
  const owners = new Map<string, Mount>();
  for (const claim of claims) {
    const dash = claim.lastIndexOf("-");
    const owner = templates.get(claim.slice(0, dash));
    if (owner) {
      const { object } = owner.workload;
      judge(object, () => {
        const index = Number(claim.slice(dash + 1)) - firstOrdinal(object);
        if (index >= 0 && index < scales.largest(owner.workload)) {
          owners.set(claim, { ...owner, claim });
        }
      });
    }
  }
  return owners;
}

/** Those of one rank stay as they are, by URN. */
const byOwnership = (a: Mount, b: Mount) => ownership(a) - ownership(b);

function ownership({ workload, claim, isOwn }: Mount): number {
  if (isOwn) {
    return -2;
  }
  const isNamesake = orElse(() => claim.endsWith(`/${workload.object.name()}`), false);
  return isNamesake ? -1 : KINDS.indexOf(workload.kind);
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
      const several = runsSeveral(workload, scales);
      return several && isOneVolume(mount) && apart(workload) ? alone(mount, several) : undefined;
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

/** The claims of a template are one for each pod, unless it names one volume for all of them. */
function isOneVolume({ isOwn, template }: Mount): boolean {
  return !isOwn || Boolean(template?.at("volumeName").text());
}

function alone(mount: Mount, several: string): Fault {
  return mount.isOwn
    ? {
        at: mount.at,
        found: `the claims of several of its own pods name one volume, since ${several}`,
        fix: "Leave volumeName out of the template, so that each pod gets a volume of its own.",
      }
    : {
        at: mount.at,
        found: `claim ${mount.claim} is mounted by several of its own pods, since ${several}`,
        fix: `${FIX}.`,
      };
}

function shared(mount: Mount, other: Mount, culprit: { at: string }): Fault {
  const same = mount.claim === other.claim ? "" : `, the same volume as claim ${other.claim}`;
  return {
    at: culprit.at,
    found: `claim ${mount.claim}${same}, is mounted by ${mount.workload.object.words} and by ${other.workload.object.words}`,
    fix: `${FIX}.`,
  };
}
