/** Incident 1: the Service selects by name and instance, and so the database's pods too. */
import { Deployment, StatefulSet } from "@pulumi/kubernetes/apps/v1";
import { Service } from "@pulumi/kubernetes/core/v1";
import { labels, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("incident-1", options) };
  const at = (name: string) => ({ name, ...metadata });
  const workload = (component: string) => ({
    selector: { matchLabels: labels(component) },
    template: template(component),
  });
  new Deployment("web", { metadata: at("web"), spec: workload("web") }, options);
  const database = { serviceName: "db", ...workload("mariadb") };
  new StatefulSet("db", { metadata: at("db"), spec: database }, options);
  const selector = { "app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop" };
  new Service("web", { metadata: at("web"), spec: { selector, ports: [{ port: 80 }] } }, options);
}
