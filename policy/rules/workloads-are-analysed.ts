/**
 * What the pack cannot look into is named, so that nobody takes its silence for a pass: Helm
 * Releases, which are one object to Pulumi, and kinds with a pod template that it does not know.
 */
import { opaqueReason } from "../core/opaque";
import { resourceRule } from "../core/rule";
import { settings } from "../core/settings";

export default resourceRule({
  name: "workloads-are-analysed",
  title: "What is not analysed is named",
  description: "Objects that make pods which this pack cannot look into.",
  level: "advisory",
  severity: "low",
  incidents: [],
  remediation: "Use a Chart instead of a Release, or check what the object makes by other means.",
  url: "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/choosing-the-right-helm-resource-for-your-use-case/",
  settings: settings({}),

  check(object, judge) {
    judge(object, () => {
      const reason = opaqueReason(object);
      return reason
        ? {
            at: object.is("Release") ? "spec" : "spec.template",
            found: `not analysed: ${reason}`,
            fix: "No rule of this pack speaks for its pods; use a Chart or a plain workload, or check them otherwise.",
          }
        : undefined;
    });
  },
});
