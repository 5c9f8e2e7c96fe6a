/**
 * What the stand-ins for provider plugins have in common: the engine's calls, answered from a
 * table of resources and functions.
 *
 * It speaks the plugin protocol itself, not through `provider.main` of the SDK: that one has no
 * preview of creates, no detailed diff and no secrets inside properties, and takes twice as long
 * to start. A stand-in is used only where the real plugin is not installed.
 */
import * as grpc from "@grpc/grpc-js";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import * as services from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { checkInputs, diffState, plannedState } from "./resource";
import type { Failure, FunctionStandIn, ResourceStandIn } from "./resource";
import { fromWire, toWire } from "./wire";
import type { Bag } from "./wire";

export interface PluginStandIn {
  name: string;
  version: string;
  /** By type token, such as `random:index/randomPassword:RandomPassword`. */
  resources: Record<string, ResourceStandIn>;
  functions: Record<string, FunctionStandIn>;
}

/** Serves the plugin on a free loopback port and prints the port, as the engine expects. */
export function servePlugin(plugin: PluginStandIn): void {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  server.addService(services.ResourceProviderService, handlers(plugin));
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
  // The engine holds the other end of stdin. When it is killed, nobody else would end this process.
  process.stdin.resume().once("end", () => process.exit(0));
}

type Handler = (request: never) => unknown;

/** The handlers by their protocol name; apart from the server, so that tests can call them. */
export function handlers(plugin: PluginStandIn): grpc.UntypedServiceImplementation {
  const resource = (request: { getUrn(): string }): ResourceStandIn => {
    const type = request.getUrn().split("::")[2].split("$").pop() ?? "";
    return find(plugin, plugin.resources, type, "resource");
  };
  const methods: Record<string, Handler> = {
    configure: () =>
      new messages.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true),
    getPluginInfo: () => new PluginInfo().setVersion(plugin.version),
    getSchema: () => new messages.GetSchemaResponse().setSchema("{}"),
    cancel: () => new Empty(),
    check: (request: messages.CheckRequest) => {
      const news = fromWire(request.getNews());
      const name = request.getUrn().split("::").pop() ?? "";
      const olds = fromWire(request.getOlds()).values;
      const { inputs, failures } = checkInputs(resource(request), news.values, { name, olds });
      return new messages.CheckResponse()
        .setInputs(toWire({ values: inputs, secrets: news.secrets }))
        .setFailuresList(failures.map(checkFailure));
    },
    diff: (request: messages.DiffRequest) => diff(resource(request), request),
    create: async (request: messages.CreateRequest) => {
      const kind = resource(request);
      const inputs = fromWire(request.getProperties());
      const planned = plannedState(kind, inputs.values, undefined);
      if (request.getPreview()) {
        return new messages.CreateResponse().setProperties(toWire(state(kind, planned, inputs)));
      }
      const { id, state: created } = await kind.create(planned);
      return new messages.CreateResponse()
        .setId(id)
        .setProperties(toWire(state(kind, created, inputs)));
    },
    update: async (request: messages.UpdateRequest) => {
      const kind = resource(request);
      const inputs = fromWire(request.getNews());
      const olds = fromWire(request.getOlds()).values;
      const planned = plannedState(kind, inputs.values, olds);
      const updated = request.getPreview()
        ? planned
        : await kind.update(request.getId(), planned, olds);
      return new messages.UpdateResponse().setProperties(toWire(state(kind, updated, inputs)));
    },
    read: (request: messages.ReadRequest) => read(resource(request), request),
    delete: async (request: messages.DeleteRequest) => {
      await resource(request).delete(request.getId());
      return new Empty();
    },
    invoke: async (request: messages.InvokeRequest) => {
      const run = find(plugin, plugin.functions, request.getTok(), "function");
      const result = await run(fromWire(request.getArgs()).values);
      // Not as secrets, whatever is in it: the real bridge drops the marks from a function's
      // result, so that a program which forgets to wrap a kubeconfig leaks here as it would there.
      return new messages.InvokeResponse().setReturn(
        toWire({ values: result, secrets: new Set() }),
      );
    },
  };
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [name, unary(plugin, method)]),
  );
}

function unary(plugin: PluginStandIn, method: Handler) {
  return (call: { request: unknown }, done: grpc.sendUnaryData<unknown>): void => {
    Promise.resolve()
      .then(() => method(call.request as never))
      .then(
        (response) => done(null, response),
        (error: Error) =>
          done({
            code: grpc.status.UNKNOWN,
            details: `${error.message} [stand-in for ${plugin.name}]`,
          }),
      );
  };
}

function diff(kind: ResourceStandIn, request: messages.DiffRequest): messages.DiffResponse {
  const olds = fromWire(request.getOlds()).values;
  const { changes, deleteBeforeReplace } = diffState(
    kind,
    olds,
    fromWire(request.getNews()).values,
  );
  const response = new messages.DiffResponse()
    .setChanges(
      changes.length > 0
        ? messages.DiffResponse.DiffChanges.DIFF_SOME
        : messages.DiffResponse.DiffChanges.DIFF_NONE,
    )
    .setDiffsList(changes.map((change) => change.property))
    .setReplacesList(changes.filter((change) => change.replace).map((change) => change.property))
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  const kinds = messages.PropertyDiff.Kind as unknown as Record<string, messages.PropertyDiff.Kind>;
  for (const { property, kind: change, replace } of changes) {
    const name = replace ? `${change}_REPLACE` : change;
    response.getDetaileddiffMap().set(property, new messages.PropertyDiff().setKind(kinds[name]));
  }
  return response;
}

async function read(kind: ResourceStandIn, request: messages.ReadRequest) {
  const known = fromWire(request.getProperties());
  const response = new messages.ReadResponse();
  if (Object.keys(known.values).length === 0) {
    const found = await kind.import(request.getId());
    if (!found) return response;
    const { id, state: imported, inputs } = found;
    return response
      .setId(id)
      .setInputs(toWire({ values: inputs, secrets: new Set() }))
      .setProperties(toWire(state(kind, imported, known)));
  }
  const refreshed = await kind.refresh(request.getId(), known.values);
  if (!refreshed) return response;
  const inputs = fromWire(request.getInputs());
  return response
    .setId(request.getId())
    .setInputs(toWire({ ...inputs, values: kind.inputsAfterRefresh(inputs.values, refreshed) }))
    .setProperties(toWire(state(kind, refreshed, known)));
}

/** What the resource's schema calls sensitive is secret, and what went in secret stays so. */
function state(kind: ResourceStandIn, values: Bag["values"], inputs: Bag): Bag {
  return { values, secrets: new Set([...kind.secret, ...inputs.secrets]) };
}

function find<T>(plugin: PluginStandIn, table: Record<string, T>, token: string, what: string): T {
  const found = Object.hasOwn(table, token) ? table[token] : undefined;
  if (found) return found;
  throw new Error(
    `${what} ${token} is not in the stand-in, which has ${Object.keys(table).join(", ")}: ` +
      `add it under local/standins, or install the real ${plugin.name} plugin`,
  );
}

function checkFailure({ property, reason }: Failure): messages.CheckFailure {
  return new messages.CheckFailure().setProperty(property).setReason(reason);
}
