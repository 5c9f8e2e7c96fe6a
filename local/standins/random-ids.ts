/**
 * Stand-ins for RandomBytes, RandomId and RandomUuid.
 *
 * As with the real ones, none of them is fit for a secret: the id of a RandomBytes is its value in
 * base64, and an id stands in the state in clear; RandomId and RandomUuid have no secret outputs.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { inputsOf, keptValue, wholeNumber } from "./random-kept";
import type { ResourceStandIn } from "./resource";
import type { Properties } from "./wire";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const RandomBytes: ResourceStandIn = {
  ...keptValue,
  inputs: ["length", "keepers"],
  computed: ["base64", "hex"],
  secret: ["base64", "hex"],
  withDefaults: (inputs) => ({ ...inputs }),
  validate: (inputs) => wholeNumber(inputs, "length", 1),
  create(planned) {
    const bytes = randomBytes(Number(planned.length));
    const id = bytes.toString("base64");
    return Promise.resolve({ id, state: { ...planned, base64: id, hex: bytes.toString("hex") } });
  },
  import(id) {
    const bytes = decode(id, "base64");
    const state = { length: bytes.length, base64: id, hex: bytes.toString("hex") };
    return Promise.resolve({ id, state, inputs: inputsOf(state, ["length"], {}) });
  },
};

export const RandomId: ResourceStandIn = {
  ...keptValue,
  inputs: ["byteLength", "prefix", "keepers"],
  computed: ["b64Std", "b64Url", "dec", "hex"],
  secret: [],
  withDefaults: (inputs) => ({ ...inputs }),
  validate: (inputs) => wholeNumber(inputs, "byteLength", 1),
  create(planned) {
    const bytes = randomBytes(Number(planned.byteLength));
    const state = { ...planned, ...idOutputs(bytes, (planned.prefix as string) ?? "") };
    return Promise.resolve({ id: bytes.toString("base64url"), state });
  },
  /** The import id is `<b64Url>`, or `<prefix>,<b64Url>`. */
  import(importId) {
    const comma = importId.lastIndexOf(",");
    const prefix = comma < 0 ? undefined : importId.slice(0, comma);
    const id = importId.slice(comma + 1);
    const bytes = decode(id, "base64url");
    const state = { byteLength: bytes.length, prefix, ...idOutputs(bytes, prefix ?? "") };
    const inputs = inputsOf(state, ["byteLength", "prefix"], {});
    return Promise.resolve({ id, state, inputs });
  },
};

export const RandomUuid: ResourceStandIn = {
  ...keptValue,
  inputs: ["keepers"],
  computed: ["result"],
  secret: [],
  withDefaults: (inputs) => ({ ...inputs }),
  validate: () => [],
  create(planned) {
    const id = randomUUID();
    return Promise.resolve({ id, state: { ...planned, result: id } });
  },
  import(id) {
    if (!UUID.test(id)) throw new Error(`import id ${id} is no UUID: give one of 36 characters`);
    return Promise.resolve({ id, state: { result: id }, inputs: {} });
  },
};

function idOutputs(bytes: Buffer, prefix: string): Properties {
  return {
    b64Std: prefix + bytes.toString("base64"),
    b64Url: prefix + bytes.toString("base64url"),
    dec: prefix + BigInt(`0x${bytes.toString("hex")}`).toString(),
    hex: prefix + bytes.toString("hex"),
  };
}

/** Node skips what is no base64; the real provider refuses it. The value itself is not printed. */
function decode(text: string, encoding: "base64" | "base64url"): Buffer {
  const bytes = Buffer.from(text, encoding);
  if (bytes.length > 0 && bytes.toString(encoding) === text) return bytes;
  throw new Error(`the import id (${text.length} characters) is not ${encoding}: give it encoded`);
}
