/** Incident 15: PHP may take 2G in a container of 1Gi. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import { container, labels, namespace, Options, pod, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-15", options) };
  new ConfigMap("web", { metadata, data: { "php.ini": "memory_limit = 2G\n" } }, options);
  const resources = { requests: { cpu: "100m", memory: "512Mi" }, limits: { memory: "1Gi" } };
  const volumeMounts = [{ name: "config", mountPath: "/usr/local/etc/php/conf.d" }];
  const spec = pod({
    containers: [container({ resources, volumeMounts })],
    volumes: [{ name: "config", configMap: { name: "web" } }],
  });
  const selector = { matchLabels: labels("web") };
  new Deployment("web", { metadata, spec: { selector, template: template("web", spec) } }, options);
}
