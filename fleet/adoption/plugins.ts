/**
 * Gives the old site back what the program's web pod put aside (layout.sh): its own plugins, because the
 * release's image copies code to an empty volume alone and would serve errors without them; and its
 * configuration, because the old web server has nothing else that tells it what the program's does.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import {
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
  WWW_DATA,
} from "../../components/pods";
import type { Data } from "../engine";
import { Failure } from "../errors";
import { podSelector } from "../web-pods";
import { adoptionMetadata as metadata, besideWeb, type JobArgs, runAdoptionJob } from "./job";

const SCRIPT = `aside=/state/.matomo
config=/state/config/config.ini.php
if [ -d "$aside/old-core-plugins" ]; then
  find "$aside/old-core-plugins" -mindepth 1 -maxdepth 1 -exec mv -n -t /state/plugins {} +
  rmdir "$aside/old-core-plugins"
fi
if [ -f "$aside/old-config.ini.php" ]; then
  cp --preserve=mode "$config" "$aside/adopted-config.ini.php"
  mv "$aside/old-config.ini.php" "$config"
fi
# The volume is the old site's again: another adoption begins anew.
rm -f "$aside/version" "$aside/config.ini.php"`;

/**
 * Moves them back, on the volume of the web pod that runs now; `image` is the old site's.
 * @throws Failure with the job's own words; the old pod must not come back then
 */
export async function returnPlugins(args: JobArgs, image: string): Promise<void> {
  const where = { apiVersion: "v1", kind: "Pod", namespace: NAMESPACE };
  const pods = await args.api.list(where, podSelector("web"));
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata,
    spec: jobSpec(image, pods.length > 0),
  };
  const why = await runAdoptionJob(args, [job]);
  if (why === undefined) return;
  throw new Failure(
    `the old site's plugins and configuration are not back on its volume, and its pod was not changed: ` +
      why,
  );
}

function jobSpec(image: string, isWebThere: boolean): Data {
  const container = {
    name: "plugins",
    image,
    command: ["bash", "-ec", SCRIPT],
    resources: requestsAndLimits("50m/64Mi", "200m/128Mi"),
    securityContext: restrictedContainer,
    volumeMounts: [{ name: "state", mountPath: "/state" }],
  };
  const spec = {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    securityContext: restrictedPod(WWW_DATA),
    ...(isWebThere && { affinity: besideWeb }),
    containers: [container],
    volumes: [{ name: "state", persistentVolumeClaim: { claimName: NAMES.dataClaim } }],
  };
  const template = { metadata: { labels: metadata.labels }, spec };
  return { activeDeadlineSeconds: 600, backoffLimit: 0, template };
}
