/**
 * The lost claims in the stack's state, taken out of it in one write: what is protected is never
 * replaced by an `up`, and what is gone is made. A refresh would do it as well, but one of these alone
 * is refused because others depend on them, and one of everything would see the pods that were taken
 * away and bring them back too early.
 */
import type { Data, Deployment } from "../engine";

/** What is left of the claims in the cluster. */
export interface Remaining {
  /** UIDs of the live claims and PersistentVolumes. */
  live: string[];
  /** The driver's ids of volumes that are lost. */
  lost: string[];
}

const OBJECT = /matomo:index:Storage\$kubernetes:core\/v1:PersistentVolume(Claim)?$/;
const VOLUME = /matomo:index:Storage\$digitalocean:index\/volume:Volume$/;

/** The state without what is gone; the same state when nothing is. */
export function withoutGone(state: Deployment, { live, lost }: Remaining): Deployment {
  const resources = state.deployment.resources ?? [];
  const isGone = ({ urn, id, outputs }: Data): boolean => {
    const type = (urn as string).split("::").at(-2)!;
    if (OBJECT.test(type)) return !live.includes(outputs?.metadata?.uid);
    return VOLUME.test(type) && lost.includes(id);
  };
  const gone = new Set(resources.filter(isGone).map(({ urn }) => urn as string));
  if (!gone.size) return state;
  const kept = resources
    .filter(({ urn }) => !gone.has(urn))
    .map((resource) => withoutDependencies(resource, gone));
  return { ...state, deployment: { ...state.deployment, resources: kept } };
}

/** A state that names what it does not have is refused. */
function withoutDependencies(resource: Data, gone: Set<string>): Data {
  const { dependencies, propertyDependencies } = resource as {
    dependencies?: string[];
    propertyDependencies?: Record<string, string[] | null>;
  };
  const keep = (urns: string[]) => urns.filter((urn) => !gone.has(urn));
  const entries = Object.entries(propertyDependencies ?? {});
  return {
    ...resource,
    ...(dependencies && { dependencies: keep(dependencies) }),
    ...(propertyDependencies && {
      propertyDependencies: Object.fromEntries(
        entries.map(([key, urns]) => [key, urns && keep(urns)]),
      ),
    }),
  };
}
