import { change, kube, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const pod = (more: object) => workload("Deployment", "web", podSpec(more));
const mounted = { automountServiceAccountToken: true };
const byDefault = { automountServiceAccountToken: undefined };
const own = { serviceAccountName: "backup" };
const account = (more: object = {}) => kube("v1", "ServiceAccount", "backup", more);
const bound = (subject: object, kind = "RoleBinding", namespace = "shop") =>
  kube("rbac.authorization.k8s.io/v1", kind, "binding", {
    metadata: { namespace },
    roleRef: { kind: "Role", name: "backup" },
    subjects: [subject],
  });
const toBackup = { kind: "ServiceAccount", name: "backup", namespace: "shop" };
const projected = (audience?: string) => ({
  volumes: [
    { name: "t", projected: { sources: [{ serviceAccountToken: { path: "t", audience } }] } },
  ],
});
const AT = ["violation web: spec.template.spec.automountServiceAccountToken"];

table("token-only-where-bound", [
  { title: "not mounted", given: pod({}) },
  { title: "mounted by default", given: pod(byDefault), finds: AT, says: "ServiceAccount default" },
  { title: "mounted", given: pod(mounted), finds: AT },
  {
    title: "an account that keeps it back",
    given: [pod({ ...byDefault, ...own }), account({ automountServiceAccountToken: false })],
  },
  {
    title: "the pod overrides the account",
    given: [pod({ ...mounted, ...own }), account({ automountServiceAccountToken: false })],
    finds: AT,
  },
  {
    title: "an account of the stack without a Role",
    given: [pod({ ...byDefault, ...own }), account()],
    finds: AT,
  },
  { title: "with a Role", given: [pod({ ...byDefault, ...own }), account(), bound(toBackup)] },
  {
    title: "with a ClusterRole",
    given: [pod({ ...mounted, ...own }), account(), bound(toBackup, "ClusterRoleBinding")],
  },
  {
    title: "a subject in the binding's namespace",
    given: [
      pod({ ...mounted, ...own }),
      account(),
      bound({ kind: "ServiceAccount", name: "backup" }),
    ],
  },
  {
    title: "an account of that name elsewhere",
    given: [pod({ ...mounted, ...own }), account(), bound({ ...toBackup, namespace: "blog" })],
    finds: AT,
  },
  {
    title: "a user of that name",
    given: [pod({ ...mounted, ...own }), account(), bound({ kind: "User", name: "backup" })],
    finds: AT,
  },
  ...["system:serviceaccounts", "system:serviceaccounts:shop"].map((name) => ({
    title: `the group ${name}`,
    given: [pod({ ...mounted, ...own }), account(), bound({ kind: "Group", name })],
  })),
  {
    title: "a group bound from no namespace",
    given: [
      pod({ ...mounted, ...own }),
      account(),
      bound({ kind: "Group", name: "system:serviceaccounts" }, "ClusterRoleBinding", "default"),
    ],
  },
  {
    title: "a group without a name",
    given: [pod({ ...mounted, ...own }), account(), bound({ kind: "Group" })],
    finds: AT,
    rawOnly: true,
  },
  {
    title: "the group of another namespace",
    given: [
      pod({ ...mounted, ...own }),
      account(),
      bound({ kind: "Group", name: "system:serviceaccounts:blog" }),
    ],
    finds: AT,
  },
  {
    title: "the old name of the field",
    given: [pod({ ...mounted, serviceAccount: "backup" }), account(), bound(toBackup)],
  },
  {
    title: "an account made elsewhere",
    given: pod({ ...mounted, ...own }),
    finds: ["unknown web: ServiceAccount"],
    says: "ServiceAccount backup not part of this stack; an `up` will not tell either",
  },
  {
    title: "an account that may be one of the stack",
    given: [pod({ ...mounted, ...own }), change(account(), "metadata.name", UNKNOWN)],
    finds: ["unknown web: ServiceAccount"],
    says: "metadata.name not known yet; `pulumi up` will",
  },
  { title: "a projected token", given: pod(projected()), finds: AT },
  { title: "a projected token for somebody else", given: pod(projected("vault")) },
  {
    title: "an exempt namespace",
    given: change(pod(mounted), "metadata.namespace", "kube-system"),
  },
  {
    title: "not known yet",
    given: pod({ automountServiceAccountToken: UNKNOWN }),
    finds: ["unknown web: spec.template.spec.automountServiceAccountToken"],
  },
  {
    title: "subjects not known yet",
    given: [pod({ ...mounted, ...own }), account(), change(bound(toBackup), "subjects", UNKNOWN)],
    finds: ["unknown web: RoleBinding"],
  },
  ...[
    { kind: "ServiceAccount", name: UNKNOWN, namespace: "blog" },
    { kind: "ServiceAccount", name: "other", namespace: UNKNOWN },
    { kind: "Group", name: "system:masters", namespace: UNKNOWN },
    { kind: "User", name: UNKNOWN },
  ].map((subject, i) => ({
    title: `a subject that is another one, whatever is not known of it (${i + 1})`,
    given: [pod({ ...mounted, ...own }), account(), bound(subject)],
    finds: AT,
  })),
  {
    title: "a group not known yet",
    given: [pod({ ...mounted, ...own }), account(), bound({ kind: "Group", name: UNKNOWN })],
    finds: ["unknown web: RoleBinding"],
  },
  {
    title: "subjects not known yet beside one that decides",
    given: [
      pod({ ...mounted, ...own }),
      account(),
      change(bound(toBackup), "subjects[1]", UNKNOWN),
    ],
  },
]);
