/** No incident: only `up` will know the image, and that its tag stays. */
import { imageKnownLater, namespace, Options } from "../parts";

export default function (options: Options): void {
  imageKnownLater(namespace("unknown-stays", options), "matomo:5.5.1", options);
}
