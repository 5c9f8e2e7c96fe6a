/**
 * Settings of rules, by Pulumi's own policy config: one zod schema a rule gives the JSON schema that
 * the engine checks, the defaults (which the SDK does not fill in) and the errors.
 */
import * as z from "zod";
import { orElse } from "./logic";
import { KubeObject } from "./objects";

const exemption = z.strictObject({
  namespace: z.string().min(1).default("*").describe("its namespace; `*` is any"),
  name: z.string().min(1).describe("its name; a `*` at the end stands for any rest"),
  reason: z.string().min(10).describe("why, printed with every finding that it covers"),
});

export type Exemption = z.infer<typeof exemption>;

/** A rule's settings: its own, and the exemptions that every rule has. */
export function settings<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject({
    ...shape,
    exemptions: z
      .array(exemption)
      .default([])
      .describe("objects that may break this rule, each with a reason"),
  });
}

/** The exemption that covers an object. A name that is not known yet is covered by `*` alone. */
export function exemptionFor(object: KubeObject, exemptions: Exemption[]): Exemption | undefined {
  return exemptions.find((e) =>
    orElse(
      () => covers(e.namespace, () => object.namespace()) && covers(e.name, () => object.name()),
      false,
    ),
  );
}

function covers(pattern: string, name: () => string): boolean {
  if (pattern === "*") {
    return true;
  }
  return pattern.endsWith("*") ? name().startsWith(pattern.slice(0, -1)) : name() === pattern;
}

/** The settings with defaults filled in; an error names the rule, the key, and what is allowed. */
export function parseSettings<S>(rule: string, schema: z.ZodType<S>, given: unknown): S {
  // Compiling a parser takes longer than the one object that it would read.
  const parsed = schema.safeParse(given ?? {}, { jitless: true });
  if (parsed.success) {
    return parsed.data;
  }
  const errors = parsed.error.issues.map((i) => `  ${[rule, ...i.path].join(".")}: ${i.message}`);
  throw new Error(
    `The policy pack's settings are wrong:\n${errors.join("\n")}\npolicy/README.md lists what is allowed.`,
  );
}

/** Names `namespace/name`, as settings list objects. */
export const objectNames = z.array(z.string().regex(/^[^/]+\/[^/]+$/, "must be namespace/name"));

/** Namespaces of the cluster itself, whose objects follow their maker's labels. */
export const exemptNamespaces = z
  .array(z.string().min(1))
  .default(["kube-system", "kube-public", "kube-node-lease"])
  .describe("namespaces that this rule leaves alone");

/** The label by which everything is selected. */
export const componentLabel = z
  .string()
  .min(1)
  .default("app.kubernetes.io/component")
  .describe("the label that tells the components of an application apart");
