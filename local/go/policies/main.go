// Enforces NetworkPolicies on the one node of the embedded cluster: what they and the pods' labels
// say, as rules of the node's own packet filter. Stands in for Cilium, which the clusters have and
// which cannot be had here. It knows nothing of any site: only what the API server holds.
//
// What is in force is told in a file, for whoever has to know that a change has come through.
//
// As with any implementation, a node reaches its own pods (probes), and an answer may always return.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file of the API server's client configuration")
	told := flag.String("in-force", "", "file that tells the pods and policies whose rules are in force")
	flag.Parse()
	if err := run(*kubeconfig, *told); err != nil {
		fmt.Fprintf(os.Stderr, "policies: %v\n", err)
		os.Exit(1)
	}
}

func run(kubeconfig, told string) error {
	// What an earlier run told need not be so any more.
	if err := os.Remove(told); err != nil && !os.IsNotExist(err) {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // A change that is not looked at yet includes this one.
		}
	}
	for _, informer := range []cache.SharedIndexInformer{
		pods.Informer(), namespaces.Informer(), policies.Informer(),
	} {
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notify() },
			UpdateFunc: func(any, any) { notify() },
			DeleteFunc: func(any) { notify() },
		})
	}
	background := context.Background()
	factory.Start(background.Done())
	factory.WaitForCacheSync(background.Done())
	if err := hook(); err != nil {
		return err
	}
	var last []byte
	for range changed {
		world := world{namespaces: map[string]labels.Set{}}
		podList, err := pods.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		world.pods = running(podList)
		namespaceList, err := namespaces.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		for _, namespace := range namespaceList {
			world.namespaces[namespace.Name] = namespace.Labels
		}
		policyList, err := policies.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		rules, err := world.rules(policyList)
		if err != nil {
			return err
		}
		if !bytes.Equal(rules, last) {
			if err := restore(rules); err != nil {
				return err
			}
			last = rules
			fmt.Printf("%s: %d pods, %d policies\n",
				time.Now().Format(time.RFC3339), len(world.pods), len(policyList))
		}
		if err := tell(told, world.pods, policyList); err != nil {
			return err
		}
	}
	return nil
}

// tell writes each pod with its address and each policy with its version, whose rules are in force now.
func tell(file string, pods []*corev1.Pod, policies []*networkingv1.NetworkPolicy) error {
	inForce := struct {
		Pods     map[string]string `json:"pods"`
		Policies map[string]string `json:"policies"`
	}{map[string]string{}, map[string]string{}}
	for _, pod := range pods {
		inForce.Pods[pod.Namespace+"/"+pod.Name] = pod.Status.PodIP
	}
	for _, policy := range policies {
		inForce.Policies[policy.Namespace+"/"+policy.Name] = policy.ResourceVersion
	}
	text, err := json.Marshal(inForce)
	if err != nil {
		return err
	}
	// Its readers are never in the middle of it.
	if err := os.WriteFile(file+".partial", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".partial", file)
}

// running gives the pods that have an address of their own.
func running(all []*corev1.Pod) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range all {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !ended {
			pods = append(pods, pod)
		}
	}
	return pods
}

// hook leads what is forwarded, and what pods send to the node, through the chain of policies. The
// table comes after Services' addresses were translated and before kube-proxy's own filters. kube-proxy
// and containerd change tables as well: whoever has their lock is waited for.
func hook() error {
	for _, chain := range []string{"FORWARD", "INPUT"} {
		exec.Command("iptables", "-w", "-t", table, "-N", chainName).Run() // There already, the second time.
		check := exec.Command("iptables", "-w", "-t", table, "-C", chain, "-j", chainName)
		if check.Run() == nil {
			continue
		}
		add := exec.Command("iptables", "-w", "-t", table, "-A", chain, "-j", chainName)
		if out, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("iptables: %w: %s", err, out)
		}
	}
	return nil
}

func restore(rules []byte) error {
	command := exec.Command("iptables-restore", "--wait", "--noflush", "--table", table)
	command.Stdin = bytes.NewReader(rules)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, out)
	}
	return nil
}

// direction is the part of a NetworkPolicy that concerns one direction, ingress or egress.
type direction struct {
	isolates bool
	rules    []rule
}

type rule struct {
	peers []networkingv1.NetworkPolicyPeer
	ports []networkingv1.NetworkPolicyPort
}

func ingress(policy *networkingv1.NetworkPolicy) direction {
	result := direction{isolates: has(policy, networkingv1.PolicyTypeIngress)}
	for _, one := range policy.Spec.Ingress {
		result.rules = append(result.rules, rule{one.From, one.Ports})
	}
	return result
}

func egress(policy *networkingv1.NetworkPolicy) direction {
	result := direction{isolates: has(policy, networkingv1.PolicyTypeEgress)}
	for _, one := range policy.Spec.Egress {
		result.rules = append(result.rules, rule{one.To, one.Ports})
	}
	return result
}

func has(policy *networkingv1.NetworkPolicy, wanted networkingv1.PolicyType) bool {
	for _, kind := range policy.Spec.PolicyTypes {
		if kind == wanted {
			return true
		}
	}
	return false
}
