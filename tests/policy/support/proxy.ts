/** The SDK's own proxy and its mark for a value that is not known yet; its types hide both. */
import * as sdkProxy from "@pulumi/policy/proxy";

const sdk = sdkProxy as unknown as {
  unknownCheckingProxy: <T>(props: T) => T;
  unknownStringValue: string;
};

export const unknownCheckingProxy = sdk.unknownCheckingProxy;

/** What the engine sends in place of a value that only `up` will know. */
export const UNKNOWN = sdk.unknownStringValue;
