/**
 * What resource rules remember of the objects that came before. A Deployment alone does not tell
 * whether its claim may be mounted by many. The claim comes earlier when the Deployment takes its name
 * from it, and in any order when the program states the name twice.
 */
import { attempt, orElse } from "./logic";
import { KubeObject } from "./objects";
import { Memory } from "./rule";
import { allowsMany } from "./volumes";

export class ClaimMemory implements Memory {
  readonly postponed = new Set<string>();
  private readonly shared = new Map<string, boolean>();

  /** Modes that are not known yet count as ReadWriteOnce. */
  remember(claim: KubeObject): void {
    if (claim.is("PersistentVolumeClaim")) {
      const modes = claim.view.at("spec", "accessModes");
      attempt(() =>
        this.shared.set(
          claim.key(),
          orElse(() => allowsMany(modes), false),
        ),
      );
    }
  }

  isSharedClaim(key: string): boolean | undefined {
    return this.shared.get(key);
  }
}
