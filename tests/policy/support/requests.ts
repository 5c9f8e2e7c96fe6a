/** A resource in the form in which the engine hands it to the pack. */
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import * as analyzer from "@pulumi/pulumi/proto/analyzer_pb";
import type { RawResource } from "../../../policy/core/objects";

/** Writes a resource into a request, or into one of the resources of a stack's request. */
export function fill<T extends analyzer.AnalyzeRequest | analyzer.AnalyzerResource>(
  request: T,
  raw: RawResource,
): T {
  request.setType(raw.type);
  request.setUrn(raw.urn);
  request.setName(raw.name);
  request.setProperties(
    Struct.fromJavaScript(raw.props as Parameters<typeof Struct.fromJavaScript>[0]),
  );
  request.setOptions(new analyzer.AnalyzerResourceOptions());
  return request;
}
