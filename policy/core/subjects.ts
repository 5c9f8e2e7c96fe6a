/**
 * Whom the stack's RoleBindings and ClusterRoleBindings bind Roles to, by name: looking through all of
 * them for each pod would take the square.
 */
import { NotKnown, View } from "./data";
import { anyOf, attempt, everyOf, orElse } from "./logic";
import { KubeObject } from "./objects";
import { push, Stack } from "./stack";

/** A binding, and one of its subjects; where the list of them is not known, the list itself. */
interface Subject {
  binding: KubeObject;
  view: View;
}

export class Subjects {
  private readonly byName = new Map<string, Subject[]>();
  private readonly open: Subject[] = [];

  constructor(stack: Stack) {
    for (const binding of [...stack.all("RoleBinding"), ...stack.all("ClusterRoleBinding")]) {
      const list = binding.view.at("subjects");
      for (const view of orElse(() => list.list(), [list])) {
        this.add({ binding, view });
      }
    }
  }

  private add(subject: Subject): void {
    const name = attempt(() => nameOf(subject));
    if (name instanceof NotKnown) {
      this.open.push(subject);
    } else {
      push(this.byName, name, subject);
    }
  }

  /** Whether a ServiceAccount is among them, itself or with its group. */
  include(namespace: string, name: string): boolean {
    const names = [`${namespace}/${name}`, ALL_ACCOUNTS, `${ALL_ACCOUNTS}:${namespace}`];
    const named = names.flatMap((one) => this.byName.get(one) ?? []);
    return anyOf([...named, ...this.open].map((one) => () => isAccount(one, namespace, name)));
  }
}

const ALL_ACCOUNTS = "system:serviceaccounts";

/** The name of a group, or namespace/name. */
function nameOf({ binding, view }: Subject): string {
  const name = view.at("name").text() ?? "";
  return view.at("kind").text() === "Group" ? name : `${namespaceOf({ binding, view })}/${name}`;
}

const namespaceOf = ({ binding, view }: Subject) =>
  view.at("namespace").text() || binding.namespace();

function isAccount(subject: Subject, namespace: string, name: string): boolean {
  const groups = [ALL_ACCOUNTS, `${ALL_ACCOUNTS}:${namespace}`];
  const { view } = subject;
  return everyOf([
    () => {
      const kind = view.at("kind").text();
      return kind === "Group"
        ? groups.some((group) => group === view.at("name").text())
        : kind === "ServiceAccount" && view.at("name").text() === name;
    },
    () => view.at("kind").text() === "Group" || namespaceOf(subject) === namespace,
  ]);
}
