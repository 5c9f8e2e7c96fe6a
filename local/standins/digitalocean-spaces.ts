/**
 * Stand-in for the digitalocean provider's SpacesBucket and SpacesKey resources, which live in the local
 * cloud (cloud.ts). No object is ever stored there: an S3 server of the tests' own has those.
 *
 * As with the real ones: a bucket's name and region replace it, and it is destroyed only when it is empty
 * or told so; a key's secret is shown once, when it is made, and its name and grants change in place.
 */
import { call, found } from "./digitalocean-client";
import type { ResourceStandIn } from "./resource";
import type { Properties } from "./wire";

interface KeyRecord {
  name: string;
  access_key: string;
  secret_key?: string;
  created_at: string;
}

export const SpacesBucket: ResourceStandIn = {
  inputs: ["acl", "corsRules", "forceDestroy", "lifecycleRules", "name", "region", "versioning"],
  computed: ["bucketDomainName", "bucketUrn", "endpoint"],
  secret: [],
  withDefaults: (inputs) => ({ acl: "private", forceDestroy: false, region: "nyc3", ...inputs }),
  validate: ({ name }) =>
    typeof name !== "string" || /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name)
      ? []
      : [{ property: "name", reason: `must be 3 to 63 of a-z, 0-9 and -, got ${name}` }],
  replacedBy: (property) => property === "name" || property === "region",
  deleteBeforeReplace: (olds, news) => olds.name === news.name,
  async create(planned) {
    await call("POST", "/test/buckets", { name: planned.name, region: planned.region });
    return { id: String(planned.name), state: { ...planned, ...addresses(planned) } };
  },
  update: async (_, planned) => planned,
  async delete(id) {
    await call("DELETE", `/test/buckets/${id}`);
  },
  import: async () => undefined,
  refresh: async (id, olds) => (await found(`/test/buckets/${id}`)) && olds,
  inputsAfterRefresh: (inputs) => inputs,
};

export const SpacesKey: ResourceStandIn = {
  inputs: ["grants", "name"],
  computed: ["accessKey", "createdAt", "secretKey"],
  secret: ["secretKey"],
  withDefaults: (inputs) => inputs,
  validate: () => [],
  replacedBy: () => false,
  async create(planned) {
    const { name, grants } = planned;
    const { key } = await call<{ key: KeyRecord }>("POST", "/v2/spaces/keys", { name, grants });
    return {
      id: key.access_key,
      state: {
        ...planned,
        accessKey: key.access_key,
        secretKey: key.secret_key,
        createdAt: key.created_at,
      },
    };
  },
  async update(id, planned) {
    await call("PUT", `/v2/spaces/keys/${id}`, { name: planned.name, grants: planned.grants });
    return planned;
  },
  async delete(id) {
    await call("DELETE", `/v2/spaces/keys/${id}`);
  },
  import: async () => undefined,
  refresh: async (id, olds) => (await found(`/v2/spaces/keys/${id}`)) && olds,
  inputsAfterRefresh: (inputs) => inputs,
};

function addresses({ name, region }: Properties): Properties {
  const endpoint = `${region}.digitaloceanspaces.com`;
  return { endpoint, bucketDomainName: `${name}.${endpoint}`, bucketUrn: `do:space:${name}` };
}
