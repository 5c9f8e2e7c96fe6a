/** A CronJob of the deployed stack whose Jobs run until a test ends them. */
import { KubeConfig, Watch } from "@kubernetes/client-node";
import type { Live, Site } from "../api/harness";
import { Kubelet, onWaitingNodes } from "../incidents/cluster/kubelet";

export class WaitingCronJob {
  readonly kubelet: Kubelet;
  private readonly component: string;

  constructor(
    private readonly site: Site,
    private readonly name: string,
  ) {
    this.kubelet = new Kubelet(site.cluster.kubeconfig);
    this.component = name.replace("matomo-", "");
  }

  async start(): Promise<void> {
    await this.kubelet.start();
    await this.patch(onWaitingNodes);
  }

  /** Puts the CronJob back, and takes the nodes with what is left on them. */
  async stop(): Promise<void> {
    await this.patch((pod) => Object.assign(pod, { nodeSelector: null, tolerations: null }));
    await this.site.kubectl("delete", "job", "--all", "-n", "matomo");
    await this.kubelet.stop();
  }

  private async patch(change: (podSpec: Live) => void): Promise<void> {
    const { spec } = await this.site.get("cronjob", this.name);
    const { jobTemplate } = spec;
    change(jobTemplate.spec.template.spec);
    const body = JSON.stringify({ spec: { jobTemplate } });
    const merge = ["--type=merge", "--field-manager=test", "-p", body];
    await this.site.kubectl("patch", "cronjob", this.name, "-n", "matomo", ...merge);
  }

  /** The pod of the Job that is running now, as soon as there is one. */
  async pod(seconds = 60): Promise<Live> {
    const config = new KubeConfig();
    config.loadFromFile(this.site.cluster.kubeconfig);
    const labelSelector = `app.kubernetes.io/component=${this.component}`;
    let watching: Promise<AbortController> | undefined;
    try {
      return await new Promise<Live>((resolve, reject) => {
        watching = new Watch(config).watch(
          "/api/v1/namespaces/matomo/pods",
          { labelSelector, timeoutSeconds: seconds },
          (_, pod: Live) => {
            if (pod.status?.phase === "Running" && !pod.metadata?.deletionTimestamp) resolve(pod);
          },
          () => reject(new Error(`no running pod of ${this.name} within ${seconds} s`)),
        );
      });
    } finally {
      (await watching)?.abort();
    }
  }
}
