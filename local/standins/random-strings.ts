/**
 * Stand-ins for RandomPassword and RandomString.
 *
 * Two traps of the real ones are kept, because adoption has to know them: every argument replaces,
 * and an import assumes all character classes, so that an imported password whose program says
 * `special: false` would be made anew.
 */
import { randomInt } from "node:crypto";
import { inputsOf, keptValue, wholeNumber } from "./random-kept";
import type { Failure, ResourceStandIn } from "./resource";
import type { Properties } from "./wire";

const CLASSES = {
  Upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  Lower: "abcdefghijklmnopqrstuvwxyz",
  Numeric: "0123456789",
  Special: "!@#$%&*()-_=+[]{}<>:?",
} as const;
const MINIMA = ["minUpper", "minLower", "minNumeric", "minSpecial"] as const;
const DEFAULTS: Properties = {
  upper: true,
  lower: true,
  numeric: true,
  number: true,
  special: true,
  ...Object.fromEntries(MINIMA.map((name) => [name, 0])),
};
const INPUTS = ["length", "keepers", "overrideSpecial", ...Object.keys(DEFAULTS)];

type StringResource = Omit<ResourceStandIn, "computed" | "secret" | "create" | "import">;

const common: StringResource = {
  ...keptValue,
  inputs: INPUTS,
  replacedBy: (property, before, after) =>
    // The real provider once stored "" for an absent list; taking that away makes nothing new.
    !(property === "overrideSpecial" && before === "" && after === undefined),
  withDefaults(inputs) {
    const numeric = inputs.numeric ?? inputs.number ?? true;
    return { ...DEFAULTS, ...inputs, numeric, number: numeric };
  },
  validate(inputs) {
    const failures: Failure[] = wholeNumber(inputs, "length", 1);
    for (const name of MINIMA) failures.push(...wholeNumber(inputs, name, 0));
    const sum = MINIMA.reduce((total, name) => total + Number(inputs[name] ?? 0), 0);
    if (failures.length === 0 && Number(inputs.length) < sum) {
      failures.push({
        property: "length",
        reason: `must be at least sum of ${MINIMA.join(" + ")} (${sum}), got: ${inputs.length}`,
      });
    }
    const { number, numeric } = inputs;
    if (number !== undefined && numeric !== undefined && number !== numeric) {
      failures.push({
        property: "number",
        reason: "number and numeric are both configured with different values: use numeric alone",
      });
    }
    return failures;
  },
};

export const RandomPassword: ResourceStandIn = {
  ...common,
  computed: ["result", "bcryptHash"],
  secret: ["result", "bcryptHash"],
  async create(planned) {
    const result = randomString(planned);
    // The id is a constant: the value must stand nowhere but in the secret outputs.
    return { id: "none", state: { ...planned, result, bcryptHash: await bcrypt(result) } };
  },
  async import(id) {
    const state = { ...importedState(id), bcryptHash: await bcrypt(id) };
    return { id: "none", state, inputs: inputsOf(state, INPUTS, DEFAULTS) };
  },
};

export const RandomString: ResourceStandIn = {
  ...common,
  computed: ["result"],
  secret: [],
  create(planned) {
    const result = randomString(planned);
    return Promise.resolve({ id: result, state: { ...planned, result } });
  },
  import(id) {
    const state = importedState(id);
    return Promise.resolve({ id, state, inputs: inputsOf(state, INPUTS, DEFAULTS) });
  },
};

function importedState(value: string): Properties {
  return { ...DEFAULTS, length: Buffer.byteLength(value), result: value };
}

function randomString(planned: Properties): string {
  const alphabet = (name: keyof typeof CLASSES): string => {
    if (!planned[name.toLowerCase()]) return "";
    return (name === "Special" && (planned.overrideSpecial as string)) || CLASSES[name];
  };
  const classes = Object.keys(CLASSES) as (keyof typeof CLASSES)[];
  const all = classes.map(alphabet).join("");
  if (all === "") {
    throw new Error("no characters to choose from: allow upper, lower, numeric or special");
  }
  const chars: string[] = [];
  for (const name of classes) {
    const own = alphabet(name);
    const least = Number(planned[`min${name}`]);
    if (own !== "") for (let n = 0; n < least; n++) chars.push(pick(own));
  }
  while (chars.length < Number(planned.length)) chars.push(pick(all));
  for (let end = chars.length - 1; end > 0; end--) {
    const other = randomInt(end + 1);
    [chars[end], chars[other]] = [chars[other], chars[end]];
  }
  return chars.join("");
}

function pick(alphabet: string): string {
  return alphabet[randomInt(alphabet.length)];
}

/** bcrypt takes 72 bytes at most; the real provider hashes the first 72 of a longer value. */
async function bcrypt(value: string): Promise<string> {
  const { hash } = await import("bcryptjs");
  return hash(Buffer.from(value).subarray(0, 72).toString(), 10);
}
