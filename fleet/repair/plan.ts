/** What was found of the volumes, and what a repair would do about it, in words. */
import type { Finding } from "./judge";
import type { RepairJournal } from "./repair";

export interface Plan {
  /** What is done, in order. */
  steps: string[];
  /** What nobody brings back. */
  loses: string;
}

export function planOf({
  what,
  lost,
  backup,
}: Pick<RepairJournal, "what" | "lost" | "backup">): Plan {
  const claims = lost.map(({ name }) => name).join(" and ");
  const anew = [
    `remove claim ${claims} with its PersistentVolume, and the Jobs that have or had it; ` +
      "nothing is deleted at DigitalOcean",
    `make ${claims} anew by an up of the stack, judged by the policy pack`,
  ];
  if (what === "backup") {
    return {
      steps: [...anew, "back up at once, and prove it"],
      loses: "the backups that were on the lost volume; site and database are not touched",
    };
  }
  return {
    steps: [
      "take the web pod away, and the database where its volume is lost",
      ...anew,
      `restore database and state together from ${backup}, the newest proven backup, and start the web pod`,
    ],
    loses: `all that the site recorded since ${backup}`,
  };
}

export function findingText({ claim, verdict, evidence, advice }: Finding): string {
  const lines = [`${claim} ${verdict.toUpperCase()}`, ...evidence.map((line) => `  ${line}`)];
  if (advice) lines.push(`  -> ${advice}`);
  return lines.join("\n");
}

export function planText({ steps, loses }: Plan): string {
  return [
    "Plan",
    ...steps.map((step, i) => `  ${i + 1}. ${step}`),
    `Lost for good: ${loses}.`,
  ].join("\n");
}
