/**
 * Label selectors as Kubernetes evaluates them: requirements are ANDed, `In` needs the key, `NotIn`
 * and `DoesNotExist` match where it is absent. Reading is lazy, so that one unknown label decides
 * nothing where another requirement already fails.
 */
import { View } from "./data";
import { anyOf, attempt, everyOf, orElse } from "./logic";

export class Selector {
  /** Keys with the values of which a pod must carry one, as far as they are known. */
  readonly wanted = new Map<string, (string | undefined)[]>();

  private constructor(
    private readonly pairs: View,
    private readonly expressions: View,
  ) {
    for (const [key, value] of orElse(() => pairs.entries(), [])) {
      this.want(
        () => key,
        () => [value],
      );
    }
    for (const expression of orElse(() => expressions.list(), [])) {
      this.want(
        () => inKey(expression),
        () => expression.at("values").list(),
      );
    }
  }

  /** A metav1.LabelSelector: matchLabels and matchExpressions. */
  static of(view: View): Selector {
    return new Selector(view.at("matchLabels"), view.at("matchExpressions"));
  }

  /** A plain map, as in a Service: every pair must be on the pod. */
  static ofMap(view: View): Selector {
    return new Selector(view, new View(null, view.owner));
  }

  /** Notes what one requirement wants, unless a part of it is not known yet. */
  private want(keyOf: () => string | undefined, valuesOf: () => View[]): void {
    attempt(() => {
      const key = keyOf();
      if (key !== undefined) {
        this.wanted.set(
          key,
          valuesOf().map((value) => value.text()),
        );
      }
    });
  }

  matches(labels: View): boolean {
    return everyOf([
      () =>
        everyOf(
          this.pairs.entries().map(
            ([key, value]) =>
              () =>
                labels.at(key).text() === value.text(),
          ),
        ),
      () => everyOf(this.expressions.list().map((expression) => () => meets(expression, labels))),
    ]);
  }
}

function inKey(expression: View): string | undefined {
  return expression.at("operator").text() === "In" ? expression.at("key").text() : undefined;
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
