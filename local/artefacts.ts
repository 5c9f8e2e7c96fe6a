/**
 * What the embedded engine and cluster are made of: each an artefact that is built once from a Go
 * module pinned in local/go/NAME, for machines on which the vendors' binaries cannot be downloaded.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parse } from "yaml";

/** How one artefact is made, in a copy of its folder, into an empty folder. */
export interface Artefact {
  /** Folder below local/go that holds go.mod, go.sum and, where there is one, main.go. */
  name: string;
  /** What a person reads while it is built. */
  title: string;
  /** The command to build; an artefact without one only takes files out of modules. */
  command?: { package: string; output: string; ldflags: string };
  /** Other names of the command, for a binary that looks at the name it was started by. */
  links?: string[];
  /** Modules whose files are needed, by path. */
  modules?: string[];
  /** Puts files of those modules beside main.go before, or into the output after, the build. */
  files?: (moduleFolders: string[], buildFolder: string, outputFolder: string) => Promise<void>;
}

const kubernetesVersion = "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version";
const goSdk = "github.com/pulumi/pulumi-kubernetes/sdk/v4";
const componentVersion = "k8s.io/component-base/version";

/** The Pulumi CLI with its engine. */
export const pulumiCli: Artefact = {
  name: "pulumi",
  title: "Pulumi engine 3.259",
  command: {
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    output: "pulumi",
    ldflags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
  },
};

/** What the engine starts to run a TypeScript program. */
export const languageHost: Artefact = {
  name: "language-nodejs",
  title: "Pulumi language host for Node.js",
  command: {
    package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
    output: "pulumi-language-nodejs",
    ldflags: "",
  },
};

/** The Kubernetes resource provider, of the same version as the SDK in package.json. */
export const kubernetesProvider: Artefact = {
  name: "pulumi-kubernetes",
  title: "Pulumi Kubernetes provider 4.27",
  command: {
    package: ".",
    output: "pulumi-resource-kubernetes",
    ldflags: `-X ${kubernetesVersion}=4.27.0`,
  },
  modules: ["github.com/pulumi/pulumi-kubernetes/provider/v4", goSdk],
  files: async ([module, sdk], buildFolder) => {
    const folder = path.join(module, "cmd", "pulumi-resource-kubernetes");
    // The released provider carries its version in the schema; the module's file has none.
    const schema = JSON.parse(await fs.readFile(path.join(folder, "schema.json"), "utf8"));
    schema.version = "4.27.0";
    await fs.writeFile(path.join(buildFolder, "schema.json"), JSON.stringify(schema));
    const mapping = await fs.readFile(path.join(folder, "terraform-mapping.json"));
    await fs.writeFile(path.join(buildFolder, "terraform-mapping.json"), mapping);
    // With the Go SDK the provider registers what is in a chart or a YAML file, each kind with a Go
    // type of its own: only Go programs read those, and to compile them takes longer than the rest.
    // Without its cases, the way of any other kind gives the engine the same resource.
    const cases = /\tcase "[^"]+":\n\t\tvar res \w+\.\w+\n[^]*?\t\treturn &res, nil\n/g;
    const imports = new RegExp(`^\t\\w+ "${goSdk}/.*\n`, "gm");
    await copyFiles(sdk, path.join(buildFolder, "sdk"), (file, text) =>
      file.endsWith("/yaml/v2/kinds.go") ? text.replace(cases, "").replace(imports, "") : text,
    );
    await fs.appendFile(path.join(buildFolder, "go.mod"), `\nreplace ${goSdk} => ./sdk\n`);
  },
};

/** File by file: in Go's module cache nothing can be written, nor in a copy of its folders. */
async function copyFiles(
  from: string,
  to: string,
  change: (file: string, text: string) => string,
): Promise<void> {
  for (const entry of await fs.readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.relative(from, path.join(entry.parentPath, entry.name));
    const text = await fs.readFile(path.join(from, file), "utf8");
    await fs.mkdir(path.join(to, path.dirname(file)), { recursive: true });
    await fs.writeFile(path.join(to, file), change(file, text));
  }
}

/** Every Kubernetes command, in one binary. */
export const kubernetes: Artefact = {
  name: "kubernetes",
  title: "Kubernetes 1.34",
  command: {
    package: ".",
    output: "kubernetes",
    // Without a version kubectl and the version checks of admission misbehave.
    ldflags: [
      `-X ${componentVersion}.gitVersion=v1.34.4`,
      `-X ${componentVersion}.gitMajor=1`,
      `-X ${componentVersion}.gitMinor=34`,
    ].join(" "),
  },
  links: [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
  ],
};

/** The API server's database. */
export const etcd: Artefact = {
  name: "etcd",
  title: "etcd 3.6",
  command: { package: "go.etcd.io/etcd/server/v3", output: "etcd", ldflags: "" },
};

/** Simulated nodes: pods are scheduled and get Ready, and nothing runs. */
export const kwok: Artefact = {
  name: "kwok",
  title: "kwok 0.7",
  command: { package: "sigs.k8s.io/kwok/cmd/kwok", output: "kwok", ldflags: "" },
};

/** The custom resource definitions that a DOKS cluster with cert-manager and Gateway API has. */
export const customResources: Artefact = {
  name: "crds",
  title: "cert-manager's and Gateway API's resource definitions",
  modules: ["github.com/cert-manager/cert-manager", "sigs.k8s.io/gateway-api"],
  // Of the kinds that something here makes or reads, without their texts: each definition costs every
  // new API server time, and the texts are most of it.
  files: async ([certManager, gatewayApi], _buildFolder, outputFolder) => {
    const kinds = {
      [path.join(certManager, "deploy", "crds")]: [
        ...["cert-manager.io_certificates", "cert-manager.io_clusterissuers"],
        "cert-manager.io_issuers",
      ],
      [path.join(gatewayApi, "config", "crd", "standard")]: [
        ...["gateway.networking.k8s.io_gatewayclasses", "gateway.networking.k8s.io_gateways"],
        "gateway.networking.k8s.io_httproutes",
      ],
    };
    for (const [folder, names] of Object.entries(kinds)) {
      for (const name of names) {
        const definition = parse(await fs.readFile(path.join(folder, `${name}.yaml`), "utf8"));
        // A property of that name is an object.
        const text = JSON.stringify(definition, (key, value) =>
          key === "description" && typeof value === "string" ? undefined : value,
        );
        await fs.writeFile(path.join(outputFolder, `${name}.json`), text);
      }
    }
  },
};

/** What a real node has no package for: see local/go/node/main.go. */
export const nodeTools: Artefact = {
  name: "node",
  title: "the node's own programs",
  command: { package: ".", output: "node", ldflags: "" },
};

/** The cluster's DNS. */
export const coredns: Artefact = {
  name: "coredns",
  title: "CoreDNS 1.12",
  command: { package: ".", output: "coredns", ldflags: "" },
};

/** Enforces NetworkPolicies on a real node. */
export const policies: Artefact = {
  name: "policies",
  title: "the node's network policies",
  command: { package: ".", output: "policies", ldflags: "" },
};

/** Judges the workflow files; only tests use it. */
export const actionlint: Artefact = {
  name: "actionlint",
  title: "actionlint 1.7",
  command: {
    package: "github.com/rhysd/actionlint/cmd/actionlint",
    output: "actionlint",
    ldflags: "",
  },
};

/** Brings backups off the cluster; in the stand-in of its image (tests/node/scripts/offsite.ts). */
export const restic: Artefact = {
  name: "restic",
  title: "restic 0.18",
  command: { package: "github.com/restic/restic/cmd/restic", output: "restic", ldflags: "" },
};

/** An S3 server whose objects are files of a folder; only tests use it. */
export const versitygw: Artefact = {
  name: "versitygw",
  title: "versitygw 1.8, an S3 server",
  command: {
    package: "github.com/versity/versitygw/cmd/versitygw",
    output: "versitygw",
    ldflags: "",
  },
};
