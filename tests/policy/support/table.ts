/** Tables of cases: one row an object or a few, and what the rule finds in them. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { unknownCheckingProxy } from "./proxy";
import { checkAll } from "../../../policy/core/pack";
import type { RawResource } from "../../../policy/core/objects";
import type { Finding } from "../../../policy/core/rule";
import { rules } from "../../../policy/rules";
import { defaulted } from "./defaults";

export interface Row {
  title: string;
  given: RawResource | RawResource[];
  settings?: object;
  /** `violation NAME: PATH`; a row without it is silent. */
  finds?: string[];
  /** Words that the first message must hold. */
  says?: string;
  /** A server would refuse the object, so that it comes in one shape only. */
  rawOnly?: boolean;
}

/** The object behind the SDK's own proxy, as a rule really gets it. */
export function proxied(raw: RawResource): RawResource {
  return { ...raw, props: unknownCheckingProxy(raw.props) };
}

/** What a finding is about, short enough for a row. */
export function brief({ kind, urn, message }: Finding): string {
  const name = urn.split("::").at(-1);
  const [, path] = /: (?:not judged(?: yet)?: )?(\S+)/.exec(message) ?? [];
  return `${kind} ${name}: ${path.replace(/:$/, "")}`;
}

export function find(rule: string, given: RawResource[], settings?: object): Finding[] {
  const one = rules.filter(({ name }) => name === rule);
  assert.equal(one.length, 1, `no rule is called ${rule}`);
  return checkAll(one, given.map(proxied), { [rule]: settings });
}

const MESSAGES = path.join(__dirname, "../../snapshots/policy");

/** What each row is told, as a file that a reviewer reads in a diff. */
function assertMessages(rule: string, rows: Row[]): void {
  const told = rows.flatMap(({ title, given, settings }) => {
    const findings = find(rule, Array.isArray(given) ? given : [given], settings);
    const messages = findings.map(({ kind, message }) => `  ${kind}: ${message}\n`);
    return messages.length ? [`${title}\n`, ...new Set(messages)] : [];
  });
  const file = path.join(MESSAGES, `${rule}.txt`);
  if (process.env.UPDATE_SNAPSHOTS) fs.writeFileSync(file, told.join(""));
  assert.equal(
    told.join(""),
    fs.readFileSync(file, "utf8"),
    "run UPDATE_SNAPSHOTS=1 npm run test:policy",
  );
}

/** One mocha test a row and shape, and one for the words of all rows. */
export function table(rule: string, rows: Row[]): void {
  describe(rule, () => {
    it("says in these words what it finds", () => assertMessages(rule, rows));
    for (const { title, given, settings, finds = [], says, rawOnly } of rows) {
      const objects = Array.isArray(given) ? given : [given];
      const shapes = { "as stated": objects, "as the server answers": objects.map(defaulted) };
      for (const [shape, resources] of Object.entries(shapes).slice(0, rawOnly ? 1 : 2)) {
        it(`${title} (${shape})`, () => {
          const findings = find(rule, resources, settings);
          assert.deepEqual([...new Set(findings.map(brief))].sort(), [...finds].sort());
          if (says) {
            assert.ok(
              findings.some(({ message }) => message.includes(says)),
              findings.map(({ message }) => message).join("\n"),
            );
          }
        });
      }
    }
  });
}
