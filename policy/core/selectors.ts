/**
 * Label selectors as Kubernetes evaluates them: requirements are ANDed, `In` needs the key, `NotIn`
 * and `DoesNotExist` match where it is absent. Reading is lazy, so that one unknown label decides
 * nothing where another requirement already fails.
 */
import { View } from "./data";
import { anyOf, attempt, everyOf, orElse } from "./logic";

/** One requirement: a test on a pod's labels. */
type Test = (labels: View) => boolean;

export class Selector {
  private constructor(
    private readonly tests: Test[],
    /** Keys with the values of which a pod must carry one, as far as they are known. */
    readonly wanted: Map<string, string[]>,
  ) {}

  /** A metav1.LabelSelector: matchLabels and matchExpressions. */
  static of(view: View): Selector {
    const tests: Test[] = [];
    const wanted = new Map<string, string[]>();
    addPairs(view.at("matchLabels"), tests, wanted);
    addExpressions(view.at("matchExpressions"), tests, wanted);
    return new Selector(tests, wanted);
  }

  /** A plain map, as in a Service: every pair must be on the pod. */
  static ofMap(view: View): Selector {
    const tests: Test[] = [];
    const wanted = new Map<string, string[]>();
    addPairs(view, tests, wanted);
    return new Selector(tests, wanted);
  }

  matches(labels: View): boolean {
    return everyOf(this.tests.map((test) => () => test(labels)));
  }
}

function addPairs(view: View, tests: Test[], wanted: Map<string, string[]>): void {
  const pairs = attempt(() => view.entries());
  if (pairs instanceof Error) {
    tests.push(() => {
      throw pairs;
    });
    return;
  }
  for (const [key, value] of pairs) {
    tests.push((labels) => labels.at(key).text() === value.text());
    const known = orElse(() => value.text(), undefined);
    if (known !== undefined) {
      wanted.set(key, [known]);
    }
  }
}

function addExpressions(view: View, tests: Test[], wanted: Map<string, string[]>): void {
  const expressions = attempt(() => view.list());
  if (expressions instanceof Error) {
    tests.push(() => {
      throw expressions;
    });
    return;
  }
  for (const expression of expressions) {
    tests.push((labels) => meets(expression, labels));
    const key = orElse(() => inKey(expression), undefined);
    const values = orElse(() => textsOf(expression.at("values")), undefined);
    if (key !== undefined && values) {
      wanted.set(key, values);
    }
  }
}

function inKey(expression: View): string | undefined {
  return expression.at("operator").text() === "In" ? expression.at("key").text() : undefined;
}

function textsOf(view: View): string[] {
  return view.list().map((value) => value.text() ?? "");
}

function meets(expression: View, labels: View): boolean {
  const label = labels.at(expression.at("key").text() ?? "");
  const isOneOf = () =>
    anyOf(
      expression
        .at("values")
        .list()
        .map((value) => () => value.text() === label.text()),
    );
  switch (expression.at("operator").text()) {
    case "In":
      return !label.isAbsent() && isOneOf();
    case "NotIn":
      return label.isAbsent() || !isOneOf();
    case "Exists":
      return !label.isAbsent();
    case "DoesNotExist":
      return label.isAbsent();
    default:
      return false;
  }
}

/**
 * Whether a selector picks its pods by the label: a value in matchLabels, or an `In` with values.
 * `Exists` and `NotIn` pick several components and do not count.
 */
export function selectsBy(selector: View, label: string): boolean {
  return anyOf([
    () => hasText(selector.at("matchLabels", label)),
    () =>
      anyOf(
        selector
          .at("matchExpressions")
          .list()
          .map((e) => () => inKey(e) === label && !e.at("values").isEmpty()),
      ),
  ]);
}

export function hasText(view: View): boolean {
  return (view.text() ?? "") !== "";
}
