/** Counts defects by operator, kind and slot, and prints the table that shows holes. */

interface Cell {
  operator: string;
  rule: string;
  kind: string;
  slot: string;
}

export const KINDS = [
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "Job",
  "CronJob",
  "Pod",
];
const SLOTS = ["init", "main", "sidecar", "pod", "object"];

export class Tally {
  private readonly cells = new Map<string, number>();
  private readonly perRule = new Map<string, { made: number; killed: number }>();
  private readonly operators = new Map<string, string>();
  private killed = 0;
  private extra = 0;
  total = 0;

  count(cell: Cell, killed: boolean, extra: number): void {
    const key = `${cell.operator}|${KINDS.includes(cell.kind) ? cell.kind : "others"}|${cell.slot}`;
    const rule = this.perRule.get(cell.rule) ?? { made: 0, killed: 0 };
    this.operators.set(cell.operator, cell.rule);
    this.cells.set(key, (this.cells.get(key) ?? 0) + 1);
    this.perRule.set(cell.rule, { made: rule.made + 1, killed: rule.killed + Number(killed) });
    this.total += 1;
    this.killed += Number(killed);
    this.extra += extra;
  }

  rules(): string[] {
    return [...this.perRule.keys()];
  }

  /** Whether a defect of this operator was made on this kind and slot. */
  has(operator: string, kind: string, slot: string): boolean {
    return this.cells.has(`${operator}|${kind}|${slot}`);
  }

  print(): void {
    const kinds = [...KINDS, "others"];
    console.log(`\n    operator × kind × slot (${SLOTS.join(", ")}; - is none)`);
    console.log(`    ${"".padEnd(44)}${kinds.map((k) => k.slice(0, 11).padEnd(12)).join("")}`);
    const sorted = [...this.operators].sort((a, b) => a[1].localeCompare(b[1]));
    let last = "";
    for (const [operator, rule] of sorted) {
      if (rule !== last) {
        const { made, killed } = this.perRule.get(rule)!;
        console.log(`    ${rule}: ${killed} of ${made}`);
        last = rule;
      }
      const row = kinds.map((kind) => this.cell(operator, kind).padEnd(12)).join("");
      console.log(`      ${operator.padEnd(42)}${row}`);
    }
    const lowest = Math.min(...[...this.perRule.values()].map((r) => r.killed / r.made));
    const recall = this.killed / this.total;
    const precision = this.killed / (this.killed + this.extra);
    console.log(
      `    ${this.total} defects, recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}, ` +
        `lowest kill rate of a rule ${lowest.toFixed(3)}`,
    );
  }

  private cell(operator: string, kind: string): string {
    const counts = SLOTS.map((slot) => this.cells.get(`${operator}|${kind}|${slot}`) ?? 0);
    return counts.some((n) => n > 0)
      ? SLOTS.flatMap((slot, i) => (counts[i] ? `${slot[0]}${counts[i]}` : [])).join(" ")
      : "-";
  }
}
