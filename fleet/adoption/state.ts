/**
 * The stack's state as an import of every live object would have left it, made in one piece: one
 * write either adopts the whole site or nothing of it, and no password passes through an import
 * file, an import id or a command line on its way.
 */
import { randomUUID } from "node:crypto";
import { hashSync } from "bcryptjs";
import { FIELD_MANAGER } from "../../components/ownership";
import type { Data, Deployment } from "../engine";
import type { Wanted } from "./program";
import { LAST_APPLIED } from "./shape";

/** A live object that becomes a resource of the stack. */
export interface Adopted {
  wanted: Wanted;
  live: Data;
  /** What of it somebody asked for: the old inputs that the next diff starts from. */
  asked: Data;
}

export interface StateArgs {
  resources: Wanted[];
  adopted: Adopted[];
  passwords: Record<string, string | undefined>;
  identity: string;
  /** Versions of the SDKs, which name the default provider. */
  randomVersion: string;
  kubernetesVersion: string;
}

const SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET_KIND = "1b47061264138c4ac30d75fd1eb44270";

/** A value that the engine encrypts as it reads the state in. */
function secret(value: unknown): Data {
  return { [SECRET_SIGNATURE]: SECRET_KIND, plaintext: JSON.stringify(value) };
}

/** The state with the live site in it; what the state has already stays as it is. */
export function adoptInto(current: Deployment, args: StateArgs): Deployment {
  const existing = current.deployment.resources ?? [];
  const has = new Set(existing.map(({ urn }) => urn as string));
  const find = (urn: string) => existing.find((resource) => resource.urn === urn);
  const [{ urn: stack }] = args.resources;
  const prefix = stack.split("::").slice(0, 2).join("::");
  const random = defaultProvider(prefix, "random", args.randomVersion);
  const cluster = args.resources.find(({ type }) => type === "pulumi:providers:kubernetes")!;
  const ids: Record<string, string> = {
    [random.urn]: find(random.urn)?.id ?? random.id,
    [cluster.urn]: find(cluster.urn)?.id ?? randomUUID(),
  };
  const reference = (urn: string) => `${urn}::${ids[urn]}`;

  const secrets = Object.values(args.passwords).filter((value) => value !== undefined);
  const made = args.resources.flatMap((wanted): Data[] => {
    if (!wanted.custom) return [component(wanted)];
    if (wanted === cluster) return [provider(wanted, ids[wanted.urn], args.kubernetesVersion)];
    if (wanted.type.endsWith(":RandomPassword")) {
      const value = args.passwords[wanted.name];
      return value ? [password(wanted, value, reference(random.urn))] : [];
    }
    if (wanted.type.endsWith(":RandomId")) {
      return [identityOf(wanted, args.identity, reference(random.urn))];
    }
    const adopted = args.adopted.find((one) => one.wanted === wanted);
    return adopted ? [object(adopted, reference(cluster.urn), secrets)] : [];
  });
  const added = [random, ...made].filter(({ urn }) => !has.has(urn as string));
  const resources = inOrder([...existing, ...added]);
  return { ...current, deployment: { ...current.deployment, resources } };
}

/** Parents, providers and whatever was there first come before what names them. */
function inOrder(resources: Data[]): Data[] {
  const placed = new Set<string>();
  const ordered: Data[] = [];
  const byUrn = new Map(resources.map((resource) => [resource.urn as string, resource]));
  const place = (resource: Data): void => {
    if (placed.has(resource.urn)) return;
    placed.add(resource.urn);
    const { parent, provider = "", dependencies = [] } = resource;
    const before = [parent, provider.replace(/::[^:]*$/, ""), ...dependencies];
    for (const urn of before) {
      const other = byUrn.get(urn);
      if (other) place(other);
    }
    ordered.push(resource);
  };
  resources.forEach(place);
  return ordered;
}

function defaultProvider(prefix: string, name: string, version: string) {
  const type = `pulumi:providers:${name}`;
  const urn = `${prefix}::${type}::default_${version.replaceAll(".", "_")}`;
  const inputs = { __internal: {}, version };
  return { urn, custom: true, id: randomUUID() as string, type, inputs, outputs: { version } };
}

function common({ urn, type, parent, options }: Wanted): Data {
  const { protect, retainOnDelete, ignoreChanges } = options;
  return {
    ...{ urn, type, parent },
    ...(protect && { protect }),
    ...(retainOnDelete && { retainOnDelete }),
    ...(ignoreChanges?.length && { ignoreChanges }),
  };
}

function component(wanted: Wanted): Data {
  return { ...common(wanted), custom: false };
}

function provider(wanted: Wanted, id: string, version: string): Data {
  const values = { ...wanted.inputs, kubeconfig: secret(wanted.inputs.kubeconfig), version };
  const inputs = { __internal: {}, ...values };
  return { ...common(wanted), custom: true, id, inputs, outputs: values };
}

/**
 * A password that the provider takes for one that it made. Inputs and outputs agree in its real
 * length: the program ignores every change of an input, and any difference between the two would be
 * a reason to make a fresh one.
 */
function password(wanted: Wanted, value: string, providerReference: string): Data {
  const inputs = { ...wanted.inputs, length: Buffer.byteLength(value) };
  const { numeric = true } = inputs as { numeric?: boolean };
  const classes = { lower: true, upper: true, special: true, number: numeric, numeric };
  const minima = { minLower: 0, minNumeric: 0, minSpecial: 0, minUpper: 0 };
  // bcrypt takes no more than 72 bytes.
  const bcryptHash = hashSync(Buffer.from(value).subarray(0, 72).toString(), 10);
  return {
    ...common(wanted),
    custom: true,
    id: "none",
    inputs,
    outputs: {
      ...{ ...classes, ...minima, ...inputs },
      result: secret(value),
      bcryptHash: secret(bcryptHash),
    },
    provider: providerReference,
    additionalSecretOutputs: ["bcryptHash", "result"],
  };
}

function identityOf(wanted: Wanted, hex: string, providerReference: string): Data {
  const bytes = Buffer.from(hex, "hex");
  const outputs = {
    ...{ byteLength: bytes.length, hex, dec: BigInt(`0x${hex}`).toString() },
    ...{ b64Std: bytes.toString("base64"), b64Url: bytes.toString("base64url") },
  };
  const { b64Url: id } = outputs;
  const { inputs } = wanted;
  return { ...common(wanted), custom: true, id, inputs, outputs, provider: providerReference };
}

function object(
  { wanted, live, asked }: Adopted,
  providerReference: string,
  secrets: string[],
): Data {
  const { metadata, apiVersion, kind } = live;
  const isSecret = kind === "Secret";
  const masked = (value: Data): Data => (isSecret ? ofSecret(value) : encrypting(value, secrets));
  return {
    ...common(wanted),
    custom: true,
    id: metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name,
    inputs: masked(asked),
    outputs: {
      ...masked(live),
      __inputs: masked(asked),
      __initialApiVersion: apiVersion,
      __fieldManager: managerOf(wanted.inputs),
    },
    provider: providerReference,
    ...(isSecret && { additionalSecretOutputs: ["data", "stringData"] }),
  };
}

/** A Secret with its values encrypted, and the copy of them that `kubectl apply` keeps. */
function ofSecret({ data, metadata, ...rest }: Data): Data {
  const { annotations, ...kept } = metadata as Data;
  const applied = (annotations as Data | undefined)?.[LAST_APPLIED] as unknown;
  const hidden = applied !== undefined && { [LAST_APPLIED]: secret(applied) };
  return {
    ...rest,
    metadata: { ...kept, ...(annotations && { annotations: { ...annotations, ...hidden } }) },
    ...(data && { data: secret(data) }),
  };
}

/** The old chart, or a person, may have put a password into a variable: there it is one, too. */
function encrypting<T>(value: T, secrets: string[]): T {
  if (typeof value === "string") {
    return secrets.some((one) => value.includes(one)) ? (secret(value) as T) : value;
  }
  if (Array.isArray(value)) return value.map((item) => encrypting(item, secrets)) as T;
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, encrypting(inner, secrets)]);
  return Object.fromEntries(entries) as T;
}

/** The field manager that the program applies an object with. */
export function managerOf(inputs: Data): string {
  return inputs.metadata.annotations?.["pulumi.com/patchFieldManager"] ?? FIELD_MANAGER;
}
