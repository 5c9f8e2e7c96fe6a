/** Incident 20 in another form: only `up` will know the image, and that its tag moves. */
import { imageKnownLater, namespace, Options } from "../parts";

export default function (options: Options): void {
  imageKnownLater(namespace("unknown-moves", options), "matomo:latest", options);
}
