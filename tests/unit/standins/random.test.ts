/**
 * The `random` stand-in against what the real provider does. Sources: the documentation and sources
 * of the Terraform provider "random" 3.x and of pulumi-random 4.x; Pulumi's Terraform bridge.
 */
import assert from "node:assert/strict";
import { compare } from "bcryptjs";
import { random } from "../../../local/standins/random";
import { UNKNOWN } from "../../../local/standins/wire";
import type { Properties } from "../../../local/standins/wire";
import { Caller } from "./harness";

const password = new Caller(random, "random:index/randomPassword:RandomPassword");
const text = new Caller(random, "random:index/randomString:RandomString");
const bytes = new Caller(random, "random:index/randomBytes:RandomBytes");
const id = new Caller(random, "random:index/randomId:RandomId");
const uuid = new Caller(random, "random:index/randomUuid:RandomUuid");

/** Arguments of random_string, which are those of random_password, and what must come of them. */
const shapes: { inputs: Properties; matches: RegExp }[] = [
  { inputs: { length: 24, special: false }, matches: /^[A-Za-z0-9]{24}$/ },
  { inputs: { length: 8, upper: false, numeric: false, special: false }, matches: /^[a-z]{8}$/ },
  { inputs: { length: 6, number: false, special: false }, matches: /^[A-Za-z]{6}$/ },
  { inputs: { length: 4, minNumeric: 4 }, matches: /^[0-9]{4}$/ },
  { inputs: { length: 3, minSpecial: 3, overrideSpecial: "~" }, matches: /^~~~$/ },
  {
    inputs: {
      length: 32,
      upper: false,
      lower: false,
      numeric: false,
      overrideSpecial: "0123456789abcdef",
    },
    matches: /^[0-9a-f]{32}$/,
  },
];

const refused: { type: Caller; inputs: Properties; failure: RegExp }[] = [
  {
    type: password,
    inputs: { length: 0 },
    failure: /^length: must be a whole number of at least 1/,
  },
  { type: password, inputs: { length: 1.5 }, failure: /^length: .*got: 1.5/ },
  {
    type: password,
    inputs: { length: 3, minLower: 2, minUpper: 2 },
    failure: /^length: must be at least sum of .*\(4\), got: 3/,
  },
  {
    type: password,
    inputs: { length: 8, number: true, numeric: false },
    failure: /^number: .*different values/,
  },
  { type: password, inputs: { length: 8, minLower: -1 }, failure: /^minLower: / },
  { type: password, inputs: { length: 8, symbols: true }, failure: /^symbols: is no input/ },
  { type: text, inputs: { length: 0 }, failure: /^length: / },
  { type: bytes, inputs: { length: 0 }, failure: /^length: / },
  { type: id, inputs: { byteLength: 0 }, failure: /^byteLength: / },
];

describe("stand-in for the random provider", () => {
  for (const { inputs, matches } of shapes) {
    it(`makes a string of ${JSON.stringify(inputs)}`, async () => {
      assert.deepEqual((await text.check(inputs)).failures, []);
      const { id, values } = await text.create(inputs);
      assert.match(values.result as string, matches);
      assert.equal(id, values.result);
    });
  }

  for (const { type, inputs, failure } of refused) {
    it(`refuses ${JSON.stringify(inputs)}`, async () => {
      const { failures } = await type.check(inputs);
      assert.equal(failures.length, 1);
      assert.match(failures[0], failure);
    });
  }

  it("refuses a password of no characters when it would be made", async () => {
    const none = { length: 4, upper: false, lower: false, numeric: false, special: false };
    await assert.rejects(password.create(none), /no characters to choose from/);
  });

  it("makes two that differ", async () => {
    const [one, two] = await Promise.all([1, 2].map(() => text.create({ length: 24 })));
    assert.notEqual(one.values.result, two.values.result);
  });

  it("makes a password that stands in its secret outputs alone", async () => {
    const { id, values, secrets } = await password.create({ length: 80, special: false });
    assert.match(values.result as string, /^[A-Za-z0-9]{80}$/);
    assert.equal(id, "none");
    assert.deepEqual([...secrets].sort(), ["bcryptHash", "result"]);
    // bcrypt takes 72 bytes: the hash is of the first ones.
    const hash = values.bcryptHash as string;
    assert.match(hash, /^\$2[aby]\$10\$/);
    assert.ok(await compare((values.result as string).slice(0, 72), hash));
  });

  it("says in a preview that the result is not known, and that it is secret", async () => {
    const { values, secrets } = await password.create({ length: 8 }, { preview: true });
    assert.equal(values.result, UNKNOWN);
    assert.equal(values.bcryptHash, UNKNOWN);
    assert.equal(values.special, true);
    assert.ok(secrets.has("result"));
  });

  it("keeps a secret input secret in the state", async () => {
    const { secrets } = await text.create(
      { length: 8, keepers: { salt: "x" } },
      { secrets: ["keepers"] },
    );
    assert.ok(secrets.has("keepers"));
  });

  describe("changes of a password", () => {
    const inputs = { length: 8, special: false };
    let state: Properties;
    before(async () => {
      state = (await password.create(inputs)).values;
    });

    /** Every argument of random_password and random_string "requires replacement". */
    const changes: { news: Properties; replaces: string[] }[] = [
      { news: { length: 8, special: false }, replaces: [] },
      { news: { length: 8, special: false, upper: true, minLower: 0 }, replaces: [] },
      { news: { length: 8, special: false, keepers: {} }, replaces: [] },
      { news: { length: 9, special: false }, replaces: ["length"] },
      { news: { length: 8 }, replaces: ["special"] },
      { news: { length: 8, special: false, minLower: 1 }, replaces: ["minLower"] },
      { news: { length: 8, special: false, keepers: { a: "b" } }, replaces: ["keepers"] },
      { news: { length: 8, special: false, overrideSpecial: "!" }, replaces: ["overrideSpecial"] },
      { news: { length: 8, special: false, numeric: false }, replaces: ["number", "numeric"] },
      { news: { length: UNKNOWN, special: false }, replaces: ["length"] },
    ];
    for (const { news, replaces } of changes) {
      const shown = JSON.stringify(news, (_, value) => (value === UNKNOWN ? "unknown" : value));
      it(`${shown} replaces [${replaces.join()}]`, async () => {
        assert.deepEqual((await password.diff(state, news)).replaces.sort(), replaces);
      });
    }

    it("taking away an empty overrideSpecial replaces nothing", async () => {
      const { changes, replaces } = await password.diff({ ...state, overrideSpecial: "" }, inputs);
      assert.deepEqual([changes, replaces], [{ overrideSpecial: "DELETE" }, []]);
    });

    it("names the kind of each change", async () => {
      const { changes } = await password.diff(state, { length: 9, keepers: { a: "b" } });
      assert.deepEqual(changes, {
        keepers: "ADD_REPLACE",
        length: "UPDATE_REPLACE",
        special: "UPDATE_REPLACE",
      });
    });

    it("a refresh keeps the state", async () => {
      const read = await password.read("none", state, inputs);
      assert.deepEqual(read.state.values, state);
      assert.ok(read.state.secrets.has("result"));
      assert.deepEqual(read.inputs, inputs);
    });
  });

  describe("imports", () => {
    it("a password by itself, as if all classes of characters were allowed", async () => {
      const { id, state, inputs } = await password.read("correct-horse");
      assert.equal(id, "none");
      assert.equal(state.values.result, "correct-horse");
      assert.deepEqual(inputs, { length: 13 });
      assert.ok(state.secrets.has("result"));
      // The trap: a program that says special: false would make a new password.
      const { replaces } = await password.diff(state.values, { length: 13, special: false });
      assert.deepEqual(replaces, ["special"]);
    });

    it("a string by itself", async () => {
      const { id, state } = await text.read("abc");
      assert.deepEqual([id, state.values.result, state.secrets.size], ["abc", "abc", 0]);
    });

    it("bytes by base64", async () => {
      const { id, state } = await bytes.read("AQID");
      assert.deepEqual([id, state.values.hex, state.values.length], ["AQID", "010203", 3]);
      await assert.rejects(
        bytes.read("not base64!"),
        /11 characters\) is not base64: give it encoded/,
      );
    });

    it("an id by base64url, with or without prefix", async () => {
      const plain = await id.read("_-8");
      assert.equal(plain.id, "_-8");
      assert.deepEqual(plain.inputs, { byteLength: 2 });
      assert.equal(plain.state.values.hex, "ffef");
      assert.equal(plain.state.values.dec, "65519");
      const prefixed = await id.read("web-,_-8");
      assert.deepEqual(prefixed.inputs, { byteLength: 2, prefix: "web-" });
      assert.equal(prefixed.state.values.b64Url, "web-_-8");
      await assert.rejects(id.read("a+b"), /is not base64url/);
    });

    it("a UUID", async () => {
      const given = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
      assert.equal((await uuid.read(given)).state.values.result, given);
      await assert.rejects(uuid.read("x"), /is no UUID/);
    });
  });

  it("RandomBytes has its value as its id, in clear: it is not for secrets", async () => {
    const { id, values, secrets } = await bytes.create({ length: 16 });
    assert.equal(id, values.base64);
    assert.deepEqual([...secrets].sort(), ["base64", "hex"]);
  });

  it("RandomId has no secret outputs", async () => {
    const { id: made, values, secrets } = await id.create({ byteLength: 8, prefix: "p-" });
    assert.match(values.hex as string, /^p-[0-9a-f]{16}$/);
    assert.equal(values.b64Url, `p-${made}`);
    assert.equal(secrets.size, 0);
  });

  it("names what it has when asked for what it has not", async () => {
    const pet = new Caller(random, "random:index/randomPet:RandomPet");
    await assert.rejects(
      pet.create({}),
      /randomPet:RandomPet is not in the stand-in, which has .*RandomPassword.*install the real/,
    );
  });
});
