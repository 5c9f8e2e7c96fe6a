/**
 * What all pods have in common: Pod Security `restricted` (design decision 6), stated limits, and
 * a checksum over everything they mount (design decision 13).
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

type PodSecurityContext = types.input.core.v1.PodSecurityContext;
type SecurityContext = types.input.core.v1.SecurityContext;
type ResourceRequirements = types.input.core.v1.ResourceRequirements;
type Volume = types.input.core.v1.Volume;

/** User and group of the official images: www-data in matomo's, mysql in mariadb's. */
export const WWW_DATA = 33;
export const MYSQL = 999;

/** A rollout may take this long, in seconds: a schema upgrade of a large database is part of it. */
export const ROLLOUT_SECONDS = 1800;
export const ROLLOUT_TIMEOUTS = { create: `${ROLLOUT_SECONDS}s`, update: `${ROLLOUT_SECONDS}s` };

/** Pod-level security context; `user` owns the files on the pod's volumes as well. */
export function restrictedPod(user: number): PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    // Without it, kubelet walks a volume of a million files at every start.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** Security context of every container. */
export const restrictedContainer: SecurityContext = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** Requests and limits from `cpu/memory` pairs such as `"50m/128Mi"`. */
export function requestsAndLimits(requests: string, limits: string): ResourceRequirements {
  const pair = (text: string) => {
    const [cpu, memory] = text.split("/");
    return { cpu, memory };
  };
  return { requests: pair(requests), limits: pair(limits) };
}

/** Where a pod has its scripts. */
const SCRIPT = /\/opt\/matomo\/scripts\/([\w.-]*\w)/g;

/**
 * The text of files under components/scripts/, by file name, with those that they name by their path in the
 * pod: the data of a ConfigMap.
 */
export function scriptFiles(...names: string[]): Record<string, string> {
  const files: Record<string, string> = {};
  const add = (name: string): void => {
    if (name in files) return;
    files[name] = fs.readFileSync(path.join(__dirname, "scripts", name), "utf8");
    for (const [, other] of files[name].matchAll(SCRIPT)) add(other);
  };
  names.forEach(add);
  return files;
}

/** A scratch directory that ends with the pod, with an upper bound. */
export function scratch(name: string, sizeLimit: string): Volume {
  return { name, emptyDir: { sizeLimit } };
}

/** A ConfigMap's files, or those of some keys; `mode` is octal. */
export function configFiles(
  name: string,
  configMap: pulumi.Input<string>,
  mode = 0o444,
  keys?: string[],
): Volume {
  const items = keys && { items: asFiles(keys) };
  return { name, configMap: { name: configMap, defaultMode: mode, ...items } };
}

/** Some keys of a Secret as files that only the pod's group may read. */
export function secretFiles(
  name: string,
  secretName: pulumi.Input<string>,
  keys: string[],
): Volume {
  return { name, secret: { secretName, defaultMode: 0o440, items: asFiles(keys) } };
}

/** Each key as a file of its name. */
function asFiles(keys: string[]) {
  return keys.map((key) => ({ key, path: key }));
}

/** On the template of every pod of this program, and on no pod of anybody else's. */
export const MOUNTS_ANNOTATION = "matomo-fleet/mounts";

/**
 * Pod annotations with one checksum over all that the pod mounts, so that a changed script,
 * setting or password rolls the pod and nothing else does. The digest of a random password gives
 * nothing away and has to be readable in a preview, so it is no secret.
 */
export function mountChecksum(
  ...mounted: pulumi.Input<Record<string, pulumi.Input<string>>>[]
): Record<string, pulumi.Input<string>> {
  const digest = pulumi
    .all(mounted.map((data) => pulumi.output(data)))
    .apply((parts) => createHash("sha256").update(JSON.stringify(parts)).digest("hex"));
  return { [MOUNTS_ANNOTATION]: pulumi.unsecret(digest) };
}
