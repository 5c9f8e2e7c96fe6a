/** Tables of cases: one row an object or a few, and what the rule finds in them. */
import assert from "node:assert/strict";
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
  const [, path] = /: (?:not judged yet: )?(\S+)/.exec(message) ?? [];
  return `${kind} ${name}: ${path.replace(/:$/, "")}`;
}

export function find(rule: string, given: RawResource[], settings?: object): Finding[] {
  const one = rules.filter(({ name }) => name === rule);
  assert.equal(one.length, 1, `no rule is called ${rule}`);
  return checkAll(one, given.map(proxied), { [rule]: settings });
}

/** One mocha test a row and shape. */
export function table(rule: string, rows: Row[]): void {
  describe(rule, () => {
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
