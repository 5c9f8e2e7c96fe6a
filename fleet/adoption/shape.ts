/**
 * What of a live object somebody asked for, in contrast to what Kubernetes filled in, and how it
 * differs from what the program asks for. Defaults are neither kept nor shown: a plan that lists
 * them hides the changes that matter (adoption.md).
 */
import { isDeepStrictEqual } from "node:util";
import type { Fields } from "./fields";
import type { Data } from "../engine";

/** Annotation in which `kubectl apply` keeps the whole object, a Secret's values included. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Decides which parts of a live value are kept. */
type Selector = { fields: Fields } | { like: unknown };

/**
 * The parts of a live object that its authors own or that an object like it states. Lists keep all
 * their items, so that their order stays comparable.
 */
export function asked(live: Data, authored: Fields[], like: (Data | undefined)[]): Data {
  const selectors: Selector[] = [
    ...authored.map((fields) => ({ fields })),
    ...like.filter((value) => value !== undefined).map((value) => ({ like: value })),
  ];
  return keep(live, selectors) as Data;
}

function keep(value: unknown, selectors: Selector[]): unknown {
  if (value === null || typeof value !== "object" || selectors.some(isWhole)) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const below = selectors.flatMap((selector) => itemSelectors(selector, item, index));
      return below.length ? keep(item, below) : item;
    });
  }
  const kept = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    const below = selectors.flatMap((selector) => keySelectors(selector, key));
    return below.length ? [[key, keep(inner, below)]] : [];
  });
  return Object.fromEntries(kept);
}

function isWhole(selector: Selector): boolean {
  if ("fields" in selector) return Object.keys(selector.fields).length === 0;
  return selector.like === null || typeof selector.like !== "object";
}

function keySelectors(selector: Selector, key: string): Selector[] {
  if ("fields" in selector) {
    const below = selector.fields[`f:${key}`];
    return below ? [{ fields: below }] : [];
  }
  const like = selector.like as Data;
  return key in like ? [{ like: like[key] }] : [];
}

function itemSelectors(selector: Selector, item: unknown, index: number): Selector[] {
  if ("like" in selector) {
    const items = Array.isArray(selector.like) ? selector.like : [];
    const like = items[itemIndex(items, item, index)];
    return like === undefined ? [] : [{ like }];
  }
  return Object.entries(selector.fields)
    .filter(([step]) => step.startsWith("k:"))
    .filter(([step]) => {
      const keys = JSON.parse(step.slice(2)) as Data;
      return Object.entries(keys).every(([key, value]) => (item as Data)?.[key] === value);
    })
    .map(([, fields]) => ({ fields }));
}

/** An object without some of its keys. */
export function omit(object: Data, ...keys: string[]): Data {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** Keys by which items of Kubernetes' lists are told apart, the more telling ones first. */
const ITEM_KEYS = ["mountPath", "containerPort", "host", "name", "key"];

function itemKey(item: unknown): string | undefined {
  if (item === null || typeof item !== "object") return undefined;
  const key = ITEM_KEYS.find((name) => ["string", "number"].includes(typeof (item as Data)[name]));
  return key && String((item as Data)[key]);
}

function itemIndex(items: unknown[], item: unknown, index: number): number {
  const key = itemKey(item);
  return key === undefined ? index : items.findIndex((other) => itemKey(other) === key);
}

/** One field that differs; undefined where there is none. */
export interface Difference {
  /** Such as `spec.template.spec.containers[matomo].image`. */
  path: string;
  before?: unknown;
  after?: unknown;
}

/** Every field in which two objects differ, down to where one of them ends. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) =>
      differences(before[key], after[key], path + step(key, path === "")),
    );
  }
  if (Array.isArray(before) && Array.isArray(after) && hasKeys([...before, ...after])) {
    const keys = new Set([...before, ...after].map((item) => itemKey(item)!));
    return [...keys].flatMap((key) => {
      const find = (items: unknown[]) => items.find((item) => itemKey(item) === key);
      return differences(find(before), find(after), `${path}[${key}]`);
    });
  }
  return [{ path, before, after }];
}

function isObject(value: unknown): value is Data {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function hasKeys(items: unknown[]): boolean {
  return items.every((item) => itemKey(item) !== undefined);
}

/** A key with dots, a label's for example, as JSON paths have it. */
function step(key: string, isFirst: boolean): string {
  if (/[./]/.test(key)) return `["${key}"]`;
  return isFirst ? key : `.${key}`;
}
