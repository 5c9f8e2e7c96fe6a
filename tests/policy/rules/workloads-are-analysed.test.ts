import { kube, podSpec, resource, workload } from "../support/objects";
import { table } from "../support/table";

const template = { spec: { template: { spec: podSpec() } } };

table("workloads-are-analysed", [
  { title: "a Deployment", given: workload("Deployment", "web") },
  {
    title: "a Helm Release",
    given: resource("kubernetes:helm.sh/v3:Release", "blog", { chart: "wordpress" }),
    finds: ["violation blog: spec"],
    says: "not analysed: a Helm Release",
  },
  { title: "a Chart's own resource", given: resource("kubernetes:helm.sh/v4:Chart", "blog", {}) },
  {
    title: "a kind with a pod template",
    given: kube("argoproj.io/v1alpha1", "Rollout", "web", template),
    finds: ["violation web: spec.template"],
    says: "kind Rollout of argoproj.io",
  },
  {
    title: "a Deployment that is somebody else's kind",
    given: kube("example.com/v1", "Deployment", "web", template),
    finds: ["violation web: spec.template"],
  },
  { title: "a Certificate", given: kube("cert-manager.io/v1", "Certificate", "web", { spec: {} }) },
  {
    title: "a template that makes nothing",
    given: kube("v1", "PodTemplate", "web", { template: template.spec.template }),
  },
  {
    title: "a template that a controller keeps",
    given: kube("apps/v1", "ControllerRevision", "web-1", { data: template }),
  },
  {
    title: "a list of pods",
    given: kube("v1", "PodList", "web", { items: [workload("Pod", "web").props] }),
    finds: ["violation web: spec.template"],
    says: "kind PodList of the core group",
  },
  {
    title: "a Release that is not Helm's",
    given: kube("example.com/v1", "Release", "web", { spec: { chart: "wordpress" } }),
  },
  {
    title: "a Release that is not Helm's, with a pod template",
    given: kube("example.com/v1", "Release", "web", template),
    finds: ["violation web: spec.template"],
  },
  {
    title: "a resource of another provider",
    given: resource("docker:index:Container", "x", template),
  },
]);
