/**
 * No credential stands in clear in an object that is not a Secret.
 *
 * Environment, arguments, annotations and ConfigMaps are readable by whoever may list pods, and end
 * in logs, diffs and `kubectl describe`. Judged by place and shape, since a policy cannot tell
 * whether a value is a Pulumi secret. A finding tells the path and the length, never the value.
 */
import { View } from "../core/data";
import { KubeObject } from "../core/objects";
import { Fault, Judge, resourceRule } from "../core/rule";
import { isCredentialName, isLiteral, secretInText, Syntax, syntaxOf } from "../core/secrets";
import { settings } from "../core/settings";
import { Container, eachContainer, Workload, workloadOf } from "../core/workloads";
import { z } from "zod";

export default resourceRule({
  name: "no-plain-secrets",
  title: "No credential in clear",
  description: "No literal credential in env, args, command, annotations, labels or ConfigMaps.",
  level: "mandatory",
  severity: "critical",
  incidents: [5, 12],
  remediation: "Put it into a Secret, and mount it as a file or refer to it by secretKeyRef.",
  url: "https://kubernetes.io/docs/concepts/configuration/secret/",
  settings: settings({
    allowedNames: z
      .array(z.string().min(1))
      .default([])
      .describe("names of variables, keys and flags that only look like a credential's"),
  }),

  check(object, judge, { allowedNames }) {
    if (!object.type.startsWith("kubernetes:")) {
      return;
    }
    const named = (name: string) => isCredentialName(name) && !allowedNames.includes(name);
    const ask = { object, judge, named };
    judgeMetadata(object.view.at("metadata"), ask);
    const workload = workloadOf(object);
    if (workload) {
      judgePod(workload, ask);
    } else if (object.is("ConfigMap")) {
      judge(object, () =>
        object.view
          .at("data")
          .entries()
          .forEach(([k, v]) => file(k, v, ask)),
      );
    }
  },
});

interface Ask {
  object: KubeObject;
  judge: Judge;
  named: (name: string) => boolean;
}

function judgeMetadata(metadata: View, { object, judge, named }: Ask): void {
  for (const map of ["annotations", "labels"]) {
    judge(object, () => {
      for (const [key, value] of metadata.at(map).entries()) {
        const name = key.split("/").at(-1) ?? key;
        // `…/auth-secret` and the like name an object; `secret-…` in a label is a word.
        const promises = named(name) && !/secret/i.test(name);
        judge(object, () => literal(value, promises) ?? text(value, "data"));
      }
    });
  }
}

function judgePod(workload: Workload, ask: Ask): void {
  if (workload.kind !== "Pod") {
    judgeMetadata(workload.metadata, ask);
  }
  eachContainer(workload, ask.judge, (container) => judgeContainer(container, ask));
}

const HANDLERS = [
  ["livenessProbe"],
  ["readinessProbe"],
  ["startupProbe"],
  ["lifecycle", "postStart"],
  ["lifecycle", "preStop"],
];

function judgeContainer({ view }: Container, ask: Ask): void {
  const { object, judge, named } = ask;
  judge(object, () => {
    for (const entry of view.at("env").list()) {
      const value = entry.at("value");
      judge(object, () => (value.isAbsent() ? undefined : variable(entry, value, named)));
    }
  });
  for (const field of ["command", "args"]) {
    judge(object, () => commandLine(view.at(field), ask));
  }
  for (const handler of HANDLERS) {
    judge(object, () => commandLine(view.at(...handler, "exec", "command"), ask));
    judge(object, () => text(view.at(...handler, "httpGet", "path"), "data"));
    judge(object, () => {
      for (const header of view.at(...handler, "httpGet", "httpHeaders").list()) {
        judge(object, () => {
          const name = header.at("name").text() ?? "";
          return literal(
            header.at("value"),
            named(name) || /^(?:proxy-)?authorization$/i.test(name),
          );
        });
      }
    });
  }
}

function variable(entry: View, value: View, named: Ask["named"]): Fault | undefined {
  return literal(value, named(entry.at("name").text() ?? "")) ?? text(value, "data");
}

/** Each word is a text of its own; a flag's value may be the next word. */
function commandLine(list: View, { object, judge, named }: Ask): undefined {
  const words = list.list();
  words.forEach((word, i) => {
    judge(object, () => {
      const before = i > 0 ? (words[i - 1].text() ?? "") : "";
      const flag = /^--?([A-Za-z][\w-]*)$/.exec(before)?.[1];
      return literal(word, flag !== undefined && named(flag)) ?? text(word, "shell");
    });
  });
}

function file(key: string, value: View, { object, judge, named }: Ask): void {
  judge(object, () => {
    const content = value.text() ?? "";
    const single = !content.trim().includes("\n");
    return (
      literal(value, single && !/\.\w+$/.test(key) && named(key)) ?? text(value, syntaxOf(key))
    );
  });
}

function literal(at: View, promises: boolean): Fault | undefined {
  const value = at.text() ?? "";
  return promises && isLiteral(value)
    ? fault(at, `a literal credential of ${value.length} characters`)
    : undefined;
}

function text(at: View, syntax: Syntax): Fault | undefined {
  const value = at.text() ?? "";
  const secret = secretInText(value, syntax);
  return secret === undefined
    ? undefined
    : fault(at, `${secret}, in a text of ${value.length} characters`);
}

function fault(at: View, found: string): Fault {
  return {
    at,
    found: `${found} stands in clear`,
    fix: "Put it into a Secret and mount it as a file, or use valueFrom.secretKeyRef.",
  };
}
