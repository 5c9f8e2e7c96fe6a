/** A CronJob of the deployed stack whose Jobs run until a test ends them. */
import { KubeConfig, Watch } from "@kubernetes/client-node";
import type { Live, Site } from "../api/harness";
import { FROM_THE_START } from "../incidents/cluster/bench";
import { Kubelet, onWaitingNodes } from "../incidents/cluster/kubelet";

/** Longest wait for a Job's pod, in seconds. */
const PATIENCE = 240;

/** How a command ended, on a terminal or without one. */
export interface FleetEnd {
  exitCode?: number;
  stdout?: unknown;
  stderr?: unknown;
  shown?: string;
}

/** Lets a CronJob start no run of its own beside those that a test makes. */
export async function suspend(site: Site, cronJob: string): Promise<void> {
  await patch(site, cronJob, { spec: { suspend: true } });
}

/** Puts it back. A run that was due in the meantime counts as done, or it would start now. */
export async function resume(site: Site, cronJob: string): Promise<void> {
  const status = { lastScheduleTime: new Date() };
  await patch(site, cronJob, { status }, "--subresource=status");
  await patch(site, cronJob, { spec: { suspend: false } });
}

/** Has it due at other times. */
export async function reschedule(site: Site, cronJob: string, schedule: string): Promise<void> {
  await patch(site, cronJob, { spec: { schedule } });
}

async function patch(site: Site, cronJob: string, change: object, ...options: string[]) {
  const merge = ["--type=merge", "--field-manager=test", "-p", JSON.stringify(change)];
  await site.kubectl("patch", "cronjob", cronJob, "-n", "matomo", ...merge, ...options);
}

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
    // A scheduled run would wait here, too: it is no command's, and a command is refused beside it.
    await suspend(this.site, this.name);
    await this.place(onWaitingNodes);
  }

  /** Puts the CronJob back, and takes the nodes with what is left on them. */
  async stop(): Promise<void> {
    await this.place((pod) => Object.assign(pod, { nodeSelector: null, tolerations: null }));
    // With their pods: of a node that is gone they would stay until the garbage collector comes by.
    await this.site.kubectl("delete", "job", "--all", "-n", "matomo", "--cascade=foreground");
    await this.kubelet.stop();
    await resume(this.site, this.name);
  }

  private async place(change: (podSpec: Live) => void): Promise<void> {
    const { spec } = await this.site.get("cronjob", this.name);
    const { jobTemplate } = spec;
    change(jobTemplate.spec.template.spec);
    await patch(this.site, this.name, { spec: { jobTemplate } });
  }

  /** The pod of the Job that a command makes; never waited for once the command is over. */
  async podOf(command: PromiseLike<FleetEnd>): Promise<Live> {
    const over = Promise.resolve(command).then(({ stdout, stderr, shown }) => {
      throw new Error(`no Job was made:\n${shown ?? `${String(stderr)}\n${String(stdout)}`}`);
    });
    over.catch(() => undefined);
    return Promise.race([this.pod(), over]);
  }

  /** The pod of the Job that is running now, as soon as there is one. */
  async pod(): Promise<Live> {
    const config = new KubeConfig();
    config.loadFromFile(this.site.cluster.kubeconfig);
    const labelSelector = `app.kubernetes.io/component=${this.component}`;
    let watching: Promise<AbortController> | undefined;
    try {
      return await new Promise<Live>((resolve, reject) => {
        watching = new Watch(config).watch(
          "/api/v1/namespaces/matomo/pods",
          // Not from the API server's cache: there one that has just ended may still run.
          { labelSelector, timeoutSeconds: PATIENCE, ...FROM_THE_START },
          (_, pod: Live) => {
            if (pod.status?.phase === "Running" && !pod.metadata?.deletionTimestamp) resolve(pod);
          },
          () => reject(new Error(`no running pod of ${this.name} within ${PATIENCE} s`)),
        );
      });
    } finally {
      (await watching)?.abort();
    }
  }
}
