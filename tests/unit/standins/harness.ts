/**
 * Calls a plugin stand-in as the engine does, message by message, without the engine: what a test
 * sees here has gone through the wire form of secrets and unknowns.
 */
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { handlers } from "../../../local/standins/plugin";
import type { PluginStandIn } from "../../../local/standins/plugin";
import { fromWire, toWire } from "../../../local/standins/wire";
import type { Bag, Properties } from "../../../local/standins/wire";

export interface DiffOutcome {
  changes: Record<string, string>;
  replaces: string[];
  deleteBeforeReplace: boolean;
}

const KINDS = Object.keys(messages.PropertyDiff.Kind);

export class Caller {
  private readonly methods: UntypedServiceImplementation;
  private readonly urn: string;

  constructor(plugin: PluginStandIn, type = "", name = "it") {
    this.methods = handlers(plugin);
    this.urn = `urn:pulumi:test::test::${type}::${name}`;
  }

  async check(news: Properties, olds: Properties = {}) {
    const request = new messages.CheckRequest()
      .setUrn(this.urn)
      .setNews(bag(news))
      .setOlds(bag(olds));
    const response = await this.call<messages.CheckResponse>("check", request);
    const failures = response.getFailuresList();
    return {
      inputs: fromWire(response.getInputs()).values,
      failures: failures.map((failure) => `${failure.getProperty()}: ${failure.getReason()}`),
    };
  }

  async create(inputs: Properties, options: { preview?: boolean; secrets?: string[] } = {}) {
    const request = new messages.CreateRequest()
      .setUrn(this.urn)
      .setProperties(toWire({ values: inputs, secrets: new Set(options.secrets) }))
      .setPreview(options.preview ?? false);
    const response = await this.call<messages.CreateResponse>("create", request);
    return { id: response.getId(), ...fromWire(response.getProperties()) };
  }

  async diff(olds: Properties, news: Properties): Promise<DiffOutcome> {
    const request = new messages.DiffRequest()
      .setUrn(this.urn)
      .setOlds(bag(olds))
      .setNews(bag(news));
    const response = await this.call<messages.DiffResponse>("diff", request);
    const changes: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((value, property) => {
      changes[property] = KINDS[value.getKind()];
    });
    return {
      changes,
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async update(id: string, olds: Properties, news: Properties): Promise<Bag> {
    const request = new messages.UpdateRequest()
      .setUrn(this.urn)
      .setId(id)
      .setOlds(bag(olds))
      .setNews(bag(news));
    const response = await this.call<messages.UpdateResponse>("update", request);
    return fromWire(response.getProperties());
  }

  /** Without a state it is an import, with one a refresh. */
  async read(id: string, state: Properties = {}, inputs: Properties = {}) {
    const request = new messages.ReadRequest()
      .setUrn(this.urn)
      .setId(id)
      .setProperties(bag(state))
      .setInputs(bag(inputs));
    const response = await this.call<messages.ReadResponse>("read", request);
    return {
      id: response.getId(),
      state: fromWire(response.getProperties()),
      inputs: fromWire(response.getInputs()).values,
    };
  }

  async delete(id: string): Promise<void> {
    await this.call("delete", new messages.DeleteRequest().setUrn(this.urn).setId(id));
  }

  async invoke(token: string, args: Properties): Promise<Bag> {
    const request = new messages.InvokeRequest().setTok(token).setArgs(bag(args));
    return fromWire((await this.call<messages.InvokeResponse>("invoke", request)).getReturn());
  }

  private call<T>(method: string, request: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (error: { details: string } | null, response: T): void =>
        error ? reject(new Error(error.details)) : resolve(response);
      (this.methods[method] as unknown as (call: object, done: unknown) => void)({ request }, done);
    });
  }
}

function bag(values: Properties) {
  return toWire({ values, secrets: new Set() });
}
