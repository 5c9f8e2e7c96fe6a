/** Reads and changes a place in an object by its path: `spec.containers[0].env`, `data["a.b"]`. */

export type Tree = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

const STEP = /\[(\d+)\]|\["([^"]*)"\]|([^.[\]]+)/g;

function steps(path: string): (string | number)[] {
  return [...path.matchAll(STEP)].map(([, index, quoted, plain]) =>
    index === undefined ? (quoted ?? plain) : Number(index),
  );
}

export function get(tree: Tree, path: string): unknown {
  return steps(path).reduce<unknown>((at, step) => (at as Tree | undefined)?.[step], tree);
}

/** A copy with one place changed; what leads there is made. An undefined value takes it out. */
export function set<T extends Tree>(tree: T, path: string, value: unknown): T {
  const copy = structuredClone(tree);
  const way = steps(path);
  const last = way.pop()!;
  let at: Tree = copy;
  way.forEach((step, i) => {
    const next = i + 1 < way.length ? way[i + 1] : last;
    at[step] ??= typeof next === "number" ? [] : {};
    at = at[step];
  });
  if (value !== undefined) {
    at[last] = value;
  } else if (Array.isArray(at)) {
    at.splice(last as number, 1);
  } else {
    delete at[last];
  }
  return copy;
}

/** Every place in a tree, inner ones before their leaves. */
export function places(tree: unknown, path = ""): string[] {
  if (typeof tree !== "object" || tree === null) {
    return [];
  }
  return Object.entries(tree).flatMap(([key, value]) => {
    const plain = /^[A-Za-z_][\w-]*$/.test(key);
    const step = Array.isArray(tree) ? `[${key}]` : plain ? `.${key}` : `["${key}"]`;
    const at = path === "" && plain ? key : path + step;
    return [at, ...places(value, at)];
  });
}
