/**
 * Whose the live objects are: the stack's, as long as its state knows them.
 *
 * A killed `up` leaves objects that the state does not know yet, and the next one makes them again,
 * by server-side apply. The provider's field manager is random for each resource: the killed run's
 * would stay on the object and conflict with the first later change of it. Under one name the second
 * apply is the first one, repeated.
 *
 * One name would let a stack whose state was lost, or which was destroyed and left its data,
 * overwrite the live passwords with fresh ones (incident 12). So the namespace carries an identity
 * that only its stack's state holds, and nothing in it is touched from another state.
 */
import * as pulumi from "@pulumi/pulumi";
import { Refusal } from "./failure";
import { NAMESPACE } from "./labels";

/** Managers that the Kubernetes provider applies with begin like this. */
export const MANAGER_PREFIX = "pulumi-kubernetes";
/** Field manager of the site's objects. It never changes: the old one's fields would conflict. */
export const FIELD_MANAGER = `${MANAGER_PREFIX}-${NAMESPACE}`;
const MANAGER_ANNOTATION = "pulumi.com/patchFieldManager";
/** On the namespace: which state it belongs to. */
export const IDENTITY_ANNOTATION = "matomo-fleet/identity";

/** Applies every Kubernetes object below under the one field manager. */
export const oneFieldManager: pulumi.ResourceTransformation = ({ type, props, opts }) => {
  if (!type.startsWith("kubernetes:")) return undefined;
  const annotations = { [MANAGER_ANNOTATION]: FIELD_MANAGER, ...props.metadata?.annotations };
  return { props: { ...props, metadata: { ...props.metadata, annotations } }, opts };
};

/**
 * Annotations of the namespace: the identity, under a manager of its own. Two states that race for
 * an empty cluster conflict there, before either has made anything else.
 */
export function identityAnnotations(identity: pulumi.Output<string>) {
  return {
    [IDENTITY_ANNOTATION]: identity,
    [MANAGER_ANNOTATION]: pulumi.interpolate`${FIELD_MANAGER}-${identity}`,
  };
}

/**
 * The state's identity, after it was compared with the live namespace's.
 * @throws Refusal (when it is awaited) if that belongs to another state, in a preview too
 */
export function sameSite(
  identity: pulumi.Output<string>,
  live: string | undefined,
): pulumi.Output<string> {
  if (live === undefined) return identity;
  const compared = identity.apply((own) => {
    if (own !== live) throw anotherState(live);
    return own;
  });
  // In a preview an identity that is still to be made is unknown, and what depends on it is skipped.
  const { isKnown } = identity as unknown as { isKnown: Promise<boolean> };
  const known = isKnown.then((known) => {
    if (!known) throw anotherState(live);
  });
  return pulumi.all([known, compared]).apply(([, own]) => own);
}

function anotherState(live: string): Refusal {
  return new Refusal(
    `namespace ${NAMESPACE} holds a site that this stack's state does not know (identity ${live}): ` +
      "its passwords would be made anew, over the old data. Nothing was touched. " +
      "Bring the state back with: pulumi stack import; or take the site over with: " +
      `npm run fleet -- adopt ${pulumi.getStack()}; or, if its data may go, delete the namespace`,
  );
}
