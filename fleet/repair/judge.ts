/**
 * Whether a claim's volume is lost (incident 7), out of what the cluster and DigitalOcean say of it.
 * Only what both leave no doubt about is a loss: anything else is shown and left as it is.
 */

/** All that is known of a claim's volume. */
export interface Facts {
  /** The claim's name. */
  claim: string;
  /** The claim; undefined when there is none. */
  found?: { uid: string; phase: string; volumeName?: string };
  /** Its PersistentVolume; undefined when there is none. */
  volume?: PersistentVolume;
  attachments: Attachment[];
  /** Pods that have it, or wait for it. */
  pods: { name: string; ready: boolean }[];
  /** What was said of mounting or making it, to pods that still wait. */
  warnings: string[];
  /** DigitalOcean's Volume of the PersistentVolume's name; undefined when it is not theirs to say. */
  cloud?: { id: string } | "missing" | Silent;
}

/** DigitalOcean has said neither; why. */
export interface Silent {
  silent: string;
}

export interface PersistentVolume {
  uid: string;
  name: string;
  /** The driver's id for it. */
  handle: string;
  /** Whether the program made it, under a name that its successor has again. */
  ofProgram: boolean;
}

export interface Attachment {
  node: string;
  attached: boolean;
  /** Why it cannot be attached, or detached. */
  error?: string;
}

export interface Finding {
  claim: string;
  verdict: "healthy" | "lost" | "unclear";
  /** What was seen, a line each. */
  evidence: string[];
  /** What a person can do where the command will not. */
  advice?: string;
}

/** The driver's words for a volume that it does not have. */
const GONE = /code = NotFound|does not exist/;
/** An attachment that is not there yet is no volume that is lost. */
const ATTACHMENT = /volumeattachment/i;
/** A Volume's name is its own for good, and its successor of the program's would need it. */
const NAMESAKE = "DigitalOcean has another Volume of its name: see whose it is";
const PASSING_FAULT =
  "DigitalOcean has this very volume: the driver's account or a passing fault, not its data";
const ASK_AGAIN =
  "nothing is known of its data: ask again when DigitalOcean answers, or let it take longer (--wait)";
const WRONG_DROPLET = /attached to the wrong droplet/;

export function judge(facts: Facts): Finding {
  const { claim, found, volume } = facts;
  if (!found) return { claim, verdict: "lost", evidence: [`there is no claim ${claim}`] };
  if (found.phase === "Lost" || (found.volumeName && !volume)) return withoutVolume(facts);
  if (!volume) {
    const evidence = [`claim ${claim} is ${found.phase}: it has no volume yet`, ...facts.warnings];
    const advice = "it never had a volume that could be lost: look why it gets none";
    return { claim, verdict: "unclear", evidence, advice };
  }
  return bound(facts, volume);
}

/** The PersistentVolume is gone, and with it the only way from the claim to its data. */
function withoutVolume({ claim, found, cloud }: Facts): Finding {
  const name = found!.volumeName!;
  const evidence = [
    `claim ${claim} is ${found!.phase}: its PersistentVolume ${name} is gone`,
    ...cloudLine(name, cloud),
  ];
  if (cloud === undefined || cloud === "missing") return { claim, verdict: "lost", evidence };
  if (isSilent(cloud)) return { claim, verdict: "unclear", evidence, advice: ASK_AGAIN };
  const advice = `its data is still there: make a PersistentVolume ${name} again that names ${cloud.id}`;
  return { claim, verdict: "unclear", evidence, advice };
}

function bound(facts: Facts, { name, handle, ofProgram }: PersistentVolume): Finding {
  const { claim, attachments, pods, cloud } = facts;
  const errors = [
    ...attachments.flatMap(({ node, error }) => (error ? [`node ${node}: ${error}`] : [])),
    ...facts.warnings,
  ];
  const held = attachments.find(({ attached, error }) => attached && !error);
  const gone = errors.some((error) => GONE.test(error) && !ATTACHMENT.test(error));
  const evidence = [
    `claim ${claim} is bound to ${name}, the driver's volume ${handle}`,
    held ? `node ${held.node} has it attached` : "no node has it attached",
    ...new Set(errors),
    ...cloudLine(name, cloud),
  ];
  const finding = (verdict: Finding["verdict"], advice?: string): Finding => ({
    ...{ claim, verdict, evidence },
    ...(advice && { advice }),
  });
  const ready = pods.find((pod) => pod.ready);
  if (cloud === "missing") {
    if (!ready) return finding("lost");
    return finding("unclear", `pod ${ready.name} still runs with it: see whether it comes again`);
  }
  if (held) return finding("healthy");
  const known = cloud !== undefined && !isSilent(cloud);
  const another = known && cloud.id !== handle;
  if (another && (ofProgram || !gone)) return finding("unclear", NAMESAKE);
  if (gone) {
    if (another || !known) return finding("lost");
    return finding("unclear", PASSING_FAULT);
  }
  if (errors.some((error) => WRONG_DROPLET.test(error))) {
    const advice = "make sure that nobody writes, then detach the volume at DigitalOcean";
    return finding("unclear", advice);
  }
  if (errors.length)
    return finding("unclear", "it is not attached, and nobody says that it is lost");
  if (isSilent(cloud)) return finding("unclear", ASK_AGAIN);
  return finding("healthy");
}

function isSilent(cloud: Facts["cloud"]): cloud is Silent {
  return typeof cloud === "object" && "silent" in cloud;
}

function cloudLine(name: string, cloud: Facts["cloud"]): string[] {
  if (cloud === undefined) return [];
  if (cloud === "missing") return [`DigitalOcean has no Volume ${name}`];
  if (isSilent(cloud)) {
    return [`DigitalOcean did not say whether it has Volume ${name}: ${cloud.silent}`];
  }
  return [`DigitalOcean has Volume ${name}, its id is ${cloud.id}`];
}
