/**
 * A pod mounts its service account's token only where a Role is bound to that account.
 *
 * A token is a way into the API server for whoever takes over the pod; it is mounted by default.
 * The backup job needs one (incident 5 was the account that nobody had made); the web pod does not.
 */
import { NotKnown, OutOfSight, View } from "../core/data";
import { anyOf, attempt } from "../core/logic";
import { KubeObject } from "../core/objects";
import { Fault, stackRule } from "../core/rule";
import { exemptNamespaces, settings } from "../core/settings";
import { Subjects } from "../core/subjects";
import { Workload } from "../core/workloads";

export default stackRule({
  name: "token-only-where-bound",
  title: "A service account token has a use",
  description: "A service account token is mounted only where a Role is bound to the account.",
  level: "mandatory",
  severity: "medium",
  incidents: [5],
  remediation:
    "Set automountServiceAccountToken to false on the pod, or bind a Role to its own ServiceAccount.",
  url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting",
  settings: settings({ exemptNamespaces }),

  checkStack(stack, judge, { exemptNamespaces }) {
    const subjects = new Subjects(stack);
    const accounts = stack.named("ServiceAccount");
    const unnamed = stack.all("ServiceAccount").map((account) => attempt(() => account.key()));
    const open = unnamed.find((key) => key instanceof NotKnown);
    for (const workload of stack.workloads) {
      judge(workload.object, () =>
        exemptNamespaces.includes(workload.object.namespace())
          ? undefined
          : unbound(workload, { accounts, open, subjects }),
      );
    }
  },
});

interface Rights {
  /** ServiceAccounts by namespace/name. */
  accounts: Map<string, KubeObject>;
  /** One of them whose name is not known yet. */
  open: NotKnown | undefined;
  subjects: Subjects;
}

function unbound(workload: Workload, { accounts, open, subjects }: Rights): Fault | undefined {
  const own = workload.spec.at("automountServiceAccountToken");
  const projected = () =>
    anyOf(
      workload.spec
        .at("volumes")
        .list()
        .map((v) => () => hasToken(v)),
    );
  if (own.bool() === false && !projected()) {
    return undefined;
  }
  const name = accountName(workload.spec);
  const namespace = workload.object.namespace();
  const account = accounts.get(`${namespace}/${name}`);
  const byAccount = () => account?.view.at("automountServiceAccountToken").bool() === false;
  if (own.bool() === undefined && byAccount() && !projected()) {
    return undefined;
  }
  if (subjects.include(namespace, name)) {
    return undefined;
  }
  if (!account && name !== "default") {
    throw (
      open ??
      new OutOfSight(workload.object.words, `ServiceAccount ${name}`, "not part of this stack")
    );
  }
  return {
    at: own,
    found: `the pods mount the token of ServiceAccount ${name}, to which no Role is bound`,
    fix: "Set it to false, or bind a Role to an account of the pods' own.",
  };
}

function accountName(spec: View): string {
  return spec.at("serviceAccountName").text() || spec.at("serviceAccount").text() || "default";
}

/** A projected token without an audience is one for the API server. */
function hasToken(volume: View): boolean {
  return anyOf(
    volume
      .at("projected", "sources")
      .list()
      .map((source) => () => {
        const token = source.at("serviceAccountToken");
        return !token.isAbsent() && (token.at("audience").text() ?? "") === "";
      }),
  );
}
