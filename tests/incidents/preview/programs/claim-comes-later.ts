/** Incident 13 in another form: the Deployment comes before the claim that it mounts. */
import { namespace, Options, rolledBeforeClaim } from "../parts";

export default function (options: Options): void {
  rolledBeforeClaim(namespace("incident-13b", options), "ReadWriteOnce", options);
}
