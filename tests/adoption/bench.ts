/**
 * Bench of the adoption tests: a cluster on which real Helm 4 has installed the old chart, with data
 * bearing claims bound and pods running, and an engine whose stack knows nothing of it.
 */
import { randomBytes } from "node:crypto";
import { newSite, type Site } from "../api/harness";
import { installRelease } from "./helm";

/** Passwords of a release, made as the old deploy script made them. */
export function livePasswords() {
  const [admin, database, root] = [1, 2, 3].map(() => randomBytes(12).toString("base64url"));
  return { admin, database, root };
}

export interface ReleaseOptions {
  stack?: string;
  values?: Record<string, unknown>;
  clientSide?: boolean;
}

/** A site whose cluster runs the release; `passwords` are the live ones. */
export async function releasedSite(options: ReleaseOptions = {}) {
  const { stack = "liberty", values, clientSide } = options;
  const site = await newSite(stack);
  const passwords = livePasswords();
  const { kubeconfig } = site.cluster;
  await installRelease({ kubeconfig, clientSide, values: { passwords, ...values } });
  await settled(site);
  return { site, passwords };
}

/** Waits until the release's pods are ready: nothing changes by itself any more. */
export async function settled(site: Site): Promise<void> {
  const where = ["-n", "matomo", "--timeout=60s"];
  await site.kubectl("rollout", "status", "deployment/matomo", ...where);
  await site.kubectl("rollout", "status", "sts/matomo-mariadb", ...where);
  const bound = "--for=jsonpath={.status.phase}=Bound";
  await site.kubectl("wait", bound, "pvc", "--all", ...where);
  const address = "--for=jsonpath={.status.loadBalancer.ingress}";
  await site.kubectl("wait", address, "ingress/matomo", ...where);
}
