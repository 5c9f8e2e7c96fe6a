/** A CronJob of the deployed stack whose Jobs run until a test ends them. */
import assert from "node:assert/strict";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import type { Live, Site } from "../api/harness";
import { Kubelet, onWaitingNodes } from "../incidents/cluster/kubelet";
import { eventually, within } from "../waits";

/** How a command ended, on a terminal or without one. */
export interface FleetEnd {
  exitCode?: number;
  stdout?: unknown;
  stderr?: unknown;
  shown?: string;
}

/** Suspends a CronJob, as a person does. */
export async function suspend(site: Site, cronJob: string): Promise<void> {
  await patch(site, cronJob, { spec: { suspend: true } });
}

/** Puts it back. */
export async function resume(site: Site, cronJob: string): Promise<void> {
  await patch(site, cronJob, { spec: { suspend: false } });
}

/** Has it due at other times. */
export async function reschedule(site: Site, cronJob: string, schedule: string): Promise<void> {
  await patch(site, cronJob, { spec: { schedule } });
}

async function patch(site: Site, cronJob: string, change: object): Promise<void> {
  const merge = ["--type=merge", "--field-manager=test", "-p", JSON.stringify(change)];
  await site.kubectl("patch", "cronjob", cronJob, "-n", "matomo", ...merge);
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
    await this.place(onWaitingNodes);
  }

  /** Puts the CronJob back, and takes the nodes with what is left on them. */
  async stop(): Promise<void> {
    try {
      await this.place((pod) => Object.assign(pod, { nodeSelector: null, tolerations: null }));
      // With their pods: of a node that is gone they would stay until the garbage collector comes by.
      const whole = ["--cascade=foreground", within("podGone")];
      await this.site.kubectl("delete", "job", "--all", "-n", "matomo", ...whole);
    } finally {
      await this.kubelet.stop();
    }
  }

  private async place(change: (podSpec: Live) => void): Promise<void> {
    const { spec } = await this.site.get("cronjob", this.name);
    const { jobTemplate } = spec;
    change(jobTemplate.spec.template.spec);
    await patch(this.site, this.name, { spec: { jobTemplate } });
  }

  /** The pod of the Job that a command makes; never waited for once the command is over. */
  async podOf(command: PromiseLike<FleetEnd>): Promise<Live> {
    let end: FleetEnd | undefined;
    void command.then(
      (ended) => (end = ended),
      (error: unknown) => (end = { shown: String(error) }),
    );
    const found = await eventually(
      `a running pod of ${this.name}`,
      async () => (await this.running()) ?? (end && "the command is over"),
      "commandEnds",
    );
    if (typeof found !== "string") return found;
    const { stdout, stderr, shown } = end!;
    throw new Error(`no Job was made:\n${shown ?? `${String(stderr)}\n${String(stdout)}`}`);
  }

  /** The same, ended; it has one container, of this name. */
  async ended(
    command: PromiseLike<FleetEnd>,
    container: string,
    end: "Succeeded" | "Failed" = "Succeeded",
  ): Promise<Live> {
    const pod = await this.podOf(command);
    assert.equal(pod.spec.containers[0].name, container);
    await this.kubelet.finish(pod, end);
    return pod;
  }

  /** The pod of the Job that is running now, as soon as there is one. */
  pod(): Promise<Live> {
    return eventually(`a running pod of ${this.name}`, () => this.running(), "podReady");
  }

  private async running(): Promise<Live | undefined> {
    const config = new KubeConfig();
    config.loadFromFile(this.site.cluster.kubeconfig);
    const labelSelector = `app.kubernetes.io/component=${this.component}`;
    // Without a version it is not the API server's cache: there one that has just ended may still run.
    const { items } = await config
      .makeApiClient(CoreV1Api)
      .listNamespacedPod({ namespace: "matomo", labelSelector });
    return items.find(
      ({ metadata, status }) => status?.phase === "Running" && !metadata?.deletionTimestamp,
    );
  }
}
