/**
 * No credential stands in clear in an object that is not a Secret.
 *
 * Environment, arguments, annotations and ConfigMaps are readable by whoever may list pods, such as
 * the backup's account (incident 5), and end in logs, diffs and `kubectl describe`; a password has one
 * place, its Secret (incident 12). Judged by place and shape, since a policy cannot tell whether a
 * value is a Pulumi secret. A finding tells the path and the length, never the value.
 */
import { View } from "../core/data";
import { KubeObject } from "../core/objects";
import { Fault, Judge, resourceRule } from "../core/rule";
import {
  isCredentialName,
  isLiteral,
  mayHoldCredential,
  secretInText,
  Syntax,
  syntaxOf,
} from "../core/secrets";
import { settings } from "../core/settings";
import { Container, eachContainer, Workload, workloadOf } from "../core/workloads";
import * as z from "zod";

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
    const named = (name: string, value?: string) =>
      isCredentialName(name, value) && !allowedNames.includes(name);
    const ask = { object, judge, named };
    judgeMetadata(object.view.at("metadata"), ask);
    const workload = workloadOf(object);
    if (workload) {
      judgePod(workload, ask);
      if (workload.kind === "CronJob") {
        judgeMetadata(object.view.at("spec", "jobTemplate", "metadata"), ask);
      }
    } else if (object.is("ConfigMap")) {
      judgeFiles(object.view.at("data"), ask, (content) => content);
      judgeFiles(object.view.at("binaryData"), ask, ofBase64);
    }
  },
});

interface Ask {
  object: KubeObject;
  judge: Judge;
  named: typeof isCredentialName;
}

function judgeMetadata(metadata: View, { object, judge, named }: Ask): void {
  for (const map of ["annotations", "labels"]) {
    judge(object, () => {
      for (const [key, value] of metadata.at(map).entries()) {
        const name = key.slice(key.lastIndexOf("/") + 1);
        // Helm's `checksum/password` is a hash.
        const promises = (content: string) =>
          named(name, content) && mayHoldCredential(name, content) && !key.startsWith("checksum/");
        judge(object, () => literal(value, promises) ?? text(value, "data", named));
      }
    });
  }
}

function judgePod(workload: Workload, ask: Ask): void {
  judgeMetadata(workload.metadata, ask);
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
    judge(object, () => text(view.at(...handler, "httpGet", "path"), "data", named));
    judge(object, () => {
      for (const header of view.at(...handler, "httpGet", "httpHeaders").list()) {
        judge(object, () => {
          const name = header.at("name").text() ?? "";
          return literal(
            header.at("value"),
            (value) => named(name, value) || /authorization$/i.test(name),
          );
        });
      }
    });
  }
}

function variable(entry: View, value: View, named: Ask["named"]): Fault | undefined {
  const name = entry.at("name").text() ?? "";
  return literal(value, (content) => named(name, content)) ?? text(value, "data", named);
}

/** Each word is a text of its own; a flag's value may be the next word. */
function commandLine(list: View, { object, judge, named }: Ask): undefined {
  const words = list.list();
  words.forEach((word, i) => {
    judge(object, () => {
      const flag = /^--?([A-Za-z][\w-]*)$/.exec(words[i - 1]?.text() ?? "")?.[1];
      const promises = (content: string) => flag !== undefined && named(flag, content);
      return literal(word, promises) ?? text(word, "shell", named);
    });
  });
}

type Decode = (content: string) => string;

/** What is no text cannot be read. */
function ofBase64(content: string): string {
  const text = Buffer.from(content, "base64").toString();
  return ["\0", "\uFFFD"].some((sign) => text.includes(sign)) ? "" : text;
}

function judgeFiles(files: View, ask: Ask, decode: Decode): void {
  ask.judge(ask.object, () => {
    files.entries().forEach(([key, content]) => file(key, content, ask, decode));
  });
}

function file(key: string, at: View, { object, judge, named }: Ask, decode: Decode): void {
  judge(object, () => {
    const content = decode(at.text() ?? "");
    const single = !content.trim().includes("\n");
    const promises = () => single && !/\.\w+$/.test(key) && named(key, content);
    return literal(at, promises, content) ?? text(at, syntaxOf(key), named, content);
  });
}

function literal(
  at: View,
  promises: (value: string) => boolean,
  value = at.text() ?? "",
): Fault | undefined {
  return promises(value) && isLiteral(value)
    ? fault(at, `a literal credential of ${value.length} characters`)
    : undefined;
}

function text(
  at: View,
  syntax: Syntax,
  named: Ask["named"],
  value = at.text() ?? "",
): Fault | undefined {
  const secret = secretInText(value, syntax, named);
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
