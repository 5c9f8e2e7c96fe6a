/** No incident: the claim that comes after its Deployment is one that many may mount. */
import { namespace, Options, rolledBeforeClaim } from "../parts";

export default function (options: Options): void {
  rolledBeforeClaim(namespace("share", options), "ReadWriteMany", options);
}
