/**
 * Which claims are one volume, and how many pods may mount it. Claims are one volume when they name
 * one PersistentVolume, PersistentVolumes when they name one volume handle or take it from one
 * DigitalOcean Volume.
 */
import { NotKnown, View } from "./data";
import { attempt, orElse } from "./logic";
import { KubeObject } from "./objects";
import { Stack } from "./stack";

/** One ReadWriteMany or ReadOnlyMany among the modes is enough; no modes at all count as RWO. */
export function allowsMany(modes: View): boolean {
  return modes.list().some((mode) => /^(ReadWriteMany|ReadOnlyMany)$/.test(mode.text() ?? ""));
}

export class Volumes {
  private readonly claims = new Map<string, KubeObject>();
  private readonly volumes = new Map<string, KubeObject>();
  private readonly volumeOfClaim = new Map<string, string>();
  private readonly parents = new Map<string, string>();
  /** Claims and volumes whose identity is open. */
  readonly open: { object: KubeObject; unknown: NotKnown }[] = [];

  constructor(private readonly stack: Stack) {
    for (const volume of stack.all("PersistentVolume")) {
      this.tryLink(volume, () => {
        this.volumes.set(volume.name(), volume);
        this.linkVolume(volume);
      });
    }
    for (const claim of stack.all("PersistentVolumeClaim")) {
      this.tryLink(claim, () => {
        this.claims.set(claim.key(), claim);
        this.linkClaim(claim);
      });
    }
  }

  private tryLink(object: KubeObject, link: () => void): void {
    const outcome = attempt(link);
    if (outcome instanceof NotKnown) {
      this.open.push({ object, unknown: outcome });
    }
  }

  private linkClaim(claim: KubeObject): void {
    const name = attempt(() => claim.view.at("spec", "volumeName").text());
    const source = this.sources(claim, "PersistentVolume");
    if (name instanceof NotKnown && source.length !== 1) {
      throw name;
    }
    const volume = name instanceof NotKnown ? source[0].name() : name;
    if (volume) {
      this.bind(claim.key(), volume);
    }
  }

  private linkVolume(volume: KubeObject): void {
    const key = `volume:${volume.name()}`;
    const made = this.sources(volume, "Volume").filter((s) => s.type.startsWith("digitalocean:"));
    if (made.length === 1) {
      this.join(key, `made:${made[0].urn}`);
    }
    const ref = volume.view.at("spec", "claimRef");
    if (!ref.isAbsent()) {
      this.bind(
        `${ref.at("namespace").text() ?? "default"}/${ref.at("name").text()}`,
        volume.name(),
      );
    }
    const csi = volume.view.at("spec", "csi");
    const handle = attempt(() => csi.at("volumeHandle").text());
    if (handle instanceof NotKnown && made.length !== 1) {
      throw handle;
    }
    if (handle && !(handle instanceof NotKnown)) {
      this.join(key, `handle:${csi.at("driver").text()}|${handle}`);
    }
  }

  /** The stack's objects of a kind that an object's spec takes a value from. */
  private sources(object: KubeObject, kind: string): KubeObject[] {
    return (object.comesFrom.spec ?? [])
      .map((urn) => this.stack.withUrn(urn))
      .filter((source) => source?.kind === kind || source?.type.endsWith(`:${kind}`))
      .map((source) => source!);
  }

  private bind(claim: string, volume: string): void {
    this.volumeOfClaim.set(claim, volume);
    this.join(`claim:${claim}`, `volume:${volume}`);
  }

  private join(a: string, b: string): void {
    this.parents.set(this.root(a), this.root(b));
  }

  private root(key: string): string {
    let root = key;
    for (let up = this.parents.get(root); up !== undefined && up !== root;) {
      root = up;
      up = this.parents.get(root);
    }
    return root;
  }

  /** The same text for claims that are one volume. */
  identity(claim: string): string {
    return this.root(`claim:${claim}`);
  }

  claim(key: string): KubeObject | undefined {
    return this.claims.get(key);
  }

  volume(claim: string): KubeObject | undefined {
    return this.volumes.get(this.volumeOfClaim.get(claim) ?? "");
  }

  /**
   * Whether pods on several nodes may mount a claim. The volume's own modes decide where the stack
   * has it, since they are what attaching looks at. Modes that are unset or not known count as RWO.
   */
  allowsMany(claim: string, template?: View): boolean {
    return orElse(() => allowsMany(this.modes(claim, template)), false);
  }

  /** ReadWriteOncePod: not even two pods on one node. */
  allowsOnePodOnly(claim: string, template?: View): boolean {
    return orElse(
      () =>
        this.modes(claim, template)
          .list()
          .some((mode) => mode.text() === "ReadWriteOncePod"),
      false,
    );
  }

  private modes(claim: string, template?: View): View {
    const object = this.volume(claim) ?? this.claim(claim);
    const spec = object?.view.at("spec") ?? template ?? new View(null, claim);
    return spec.at("accessModes");
  }
}
