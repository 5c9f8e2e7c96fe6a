/** Helm's old revision records, which pile up in etcd (incident 6), for releases of any namespace. */
import type { V1ObjectMeta } from "@kubernetes/client-node";
import type { Cluster } from "./cluster";

/** A record of one revision of a release: a Secret that Helm made. */
export interface Revision {
  namespace: string;
  release: string;
  revision: number;
  status: string;
  secret: string;
}

/** Records of a type that holds nothing but them. */
const FIELD_SELECTOR = "type=helm.sh/release.v1";

/** All revision records of the cluster, without their content. */
export async function listRevisions({ core }: Cluster): Promise<Revision[]> {
  const revisions: Revision[] = [];
  let _continue: string | undefined;
  do {
    const page = await core.listSecretForAllNamespaces({
      fieldSelector: FIELD_SELECTOR,
      labelSelector: "owner=helm",
      limit: 100,
      _continue,
    });
    revisions.push(...page.items.flatMap(({ metadata }) => revisionOf(metadata!)));
    _continue = page.metadata?._continue || undefined;
  } while (_continue);
  return revisions;
}

function revisionOf({ name = "", namespace = "", labels }: V1ObjectMeta): Revision[] {
  const [, release, number] = /^sh\.helm\.release\.v1\.(.+)\.v(\d+)$/.exec(name) ?? [];
  if (!release) return [];
  const status = labels?.status ?? "unknown";
  return [{ namespace, release, revision: Number(number), status, secret: name }];
}

/**
 * The records that can go: all but the newest `keep` of each release, never the deployed one, and
 * none of a release that has an operation pending.
 */
export function superfluous(revisions: Revision[], keep: number): Revision[] {
  const releases = new Map<string, Revision[]>();
  for (const revision of revisions) {
    const key = `${revision.namespace}/${revision.release}`;
    releases.set(key, [...(releases.get(key) ?? []), revision]);
  }
  return [...releases.values()].flatMap((all) => {
    if (all.some(({ status }) => status.startsWith("pending") || status === "uninstalling")) {
      return [];
    }
    const newestFirst = [...all].sort((a, b) => b.revision - a.revision);
    return newestFirst.slice(keep).filter(({ status }) => status !== "deployed");
  });
}
