/**
 * The claims in the stack's state. Once they are gone from the cluster, a refresh of them alone makes
 * the state forget them: what is protected is never replaced by an `up`, and what is gone is made.
 */
import type { Fleet } from "../fleet";
import { operate } from "../operation";
import type { Progress } from "../run";
import { engineOptions, openStack, type Stack } from "../stacks";
import type { Deployment } from "../adoption/state";
import { NAMES } from "../../components/labels";

/** Names of the resources that make a claim, in components/storage.ts. */
const RESOURCES: Record<string, string> = {
  [NAMES.dataClaim]: "data",
  [NAMES.databaseClaim]: "database",
  [NAMES.backupClaim]: "backup",
};
const TYPES =
  /matomo:index:Storage\$(kubernetes:core\/v1:PersistentVolume(Claim)?|digitalocean:index\/volume:Volume)$/;

/** URNs of what the state knows of these claims: each with its PersistentVolume and its Volume. */
export function volumeUrns({ deployment }: Deployment, claims: string[]): string[] {
  const names = claims.map((claim) => RESOURCES[claim]);
  return (deployment.resources ?? [])
    .map(({ urn }) => urn as string)
    .filter((urn) => {
      const [type, name] = urn.split("::").slice(-2);
      return TYPES.test(type) && names.includes(name);
    });
}

/** Forgets those of the URNs that are gone; the program runs along for a fresh kubeconfig. */
export async function forgetGone(
  fleet: Fleet,
  stack: Stack,
  urns: string[],
  progress: Progress,
): Promise<void> {
  // No target at all would mean every resource.
  if (!urns.length) return;
  const engine = await openStack(fleet, stack);
  await operate(progress, (onEvent) =>
    engine.refresh({
      ...engineOptions(fleet, stack),
      target: urns,
      runProgram: true,
      onEvent,
    }),
  );
}
