/**
 * Which claims are one volume, and how many pods may mount it. Claims are one volume when they name
 * one PersistentVolume, PersistentVolumes when they name one volume handle, or will take it from one
 * Volume of a cloud.
 */
import { claimTemplates, firstClaim } from "./claim-templates";
import { NotKnown, View } from "./data";
import { attempt, orElse } from "./logic";
import { KubeObject } from "./objects";
import { Stack } from "./stack";

const MANY = new Set<string | undefined>(["ReadWriteMany", "ReadOnlyMany"]);

/** One ReadWriteMany or ReadOnlyMany among the modes is enough; no modes at all count as RWO. */
export function allowsMany(modes: View): boolean {
  return modes.list().some((mode) => MANY.has(mode.text()));
}

export class Volumes {
  private readonly claims = new Map<string, KubeObject>();
  private readonly volumes = new Map<string | undefined, KubeObject>();
  private readonly volumeOfClaim = new Map<string, string>();
  private readonly parents = new Map<string, string>();
  /** Claims, as namespace/name, that name a volume or that a volume names. */
  readonly named = new Set<string>();
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
        this.linkClaim(claim, claim.view.at("spec"), () => claim.key());
      });
    }
    for (const set of stack.all("StatefulSet")) {
      for (const template of orElse(() => claimTemplates(set), [])) {
        this.tryLink(set, () => this.linkClaim(set, template.spec, () => firstClaim(template)));
      }
    }
  }

  private tryLink(object: KubeObject, link: () => void): void {
    const outcome = attempt(link);
    if (outcome instanceof NotKnown) {
      this.open.push({ object, unknown: outcome });
    }
  }

  /** @param key namespace/name of the claim that has this spec */
  private linkClaim(object: KubeObject, spec: View, key: () => string): void {
    const name = attempt(() => spec.at("volumeName").text());
    if (!name) {
      return;
    }
    const claim = key();
    this.named.add(claim);
    const volume =
      name instanceof NotKnown ? this.origin(object, "PersistentVolume", name).name() : name;
    this.bind(claim, volume);
  }

  private linkVolume(volume: KubeObject): void {
    const ref = volume.view.at("spec", "claimRef");
    if (!ref.isAbsent()) {
      this.bind(`${ref.at("namespace").text()}/${ref.at("name").text()}`, volume.name());
    }
    const csi = volume.view.at("spec", "csi");
    const handle = attempt(() => csi.at("volumeHandle").text());
    const key = `volume:${volume.name()}`;
    if (handle instanceof NotKnown) {
      this.join(key, `made:${this.origin(volume, "Volume", handle).urn}`);
    } else if (handle) {
      this.join(key, `handle:${csi.at("driver").text()}|${handle}`);
    }
  }

  /** The one object of a kind that a value of the spec, not known yet, will come from. */
  private origin(object: KubeObject, kind: string, unknown: NotKnown): KubeObject {
    const [source, ...others] = object.specFrom
      .map((urn) => this.stack.withUrn(urn))
      .filter((from) => from?.kind === kind);
    if (!source || others.length > 0) {
      throw unknown;
    }
    return source;
  }

  private bind(claim: string, volume: string): void {
    this.named.add(claim);
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
    return this.volumes.get(this.volumeOfClaim.get(claim));
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
