/**
 * What resource rules remember of objects seen before. A Deployment alone does not tell whether its
 * claim may be mounted by many; the claim, or the volume that it names, was registered earlier when
 * the Deployment takes its name from it.
 */
import { orElse } from "./logic";
import { KubeObject } from "./objects";
import { Memory } from "./rule";
import { allowsMany } from "./volumes";

export class ClaimMemory implements Memory {
  private readonly shared = new Set<string>();

  remember(claim: KubeObject): void {
    if (!claim.is("PersistentVolumeClaim")) {
      return;
    }
    const key = orElse(() => claim.key(), undefined);
    if (key === undefined) {
      return;
    }
    if (orElse(() => allowsMany(claim.view.at("spec", "accessModes")), false)) {
      this.shared.add(key);
    } else {
      this.shared.delete(key);
    }
  }

  isSharedClaim(namespace: string, name: string): boolean {
    return this.shared.has(`${namespace}/${name}`);
  }
}
