package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	table     = "mangle"
	chainName = "POLICIES"
)

// world is what rules are made of: pods with an address, and namespaces' labels.
type world struct {
	pods       []*corev1.Pod
	namespaces map[string]labels.Set
}

// rules gives the whole chain as iptables-restore reads it. A connection passes when neither end's
// policies refuse it: each isolated pod has a chain per direction that returns for what is allowed.
func (w world) rules(policies []*networkingv1.NetworkPolicy) ([]byte, error) {
	var declared, lines []string
	top := []string{"-A " + chainName + " -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"}
	sort.Slice(w.pods, func(i, j int) bool { return w.pods[i].Status.PodIP < w.pods[j].Status.PodIP })
	for _, pod := range w.pods {
		for _, way := range []struct {
			name, own, peer string
			of              func(*networkingv1.NetworkPolicy) direction
		}{
			{"IN", "-d", "-s", ingress},
			{"OUT", "-s", "-d", egress},
		} {
			isolated, allowed, err := w.allowed(pod, policies, way.of, way.peer)
			if err != nil {
				return nil, err
			}
			if !isolated {
				continue
			}
			chain := way.name + "-" + pod.Status.PodIP
			declared = append(declared, ":"+chain+" - [0:0]")
			top = append(top,
				fmt.Sprintf("-A %s %s %s -j %s", chainName, way.own, pod.Status.PodIP, chain))
			for _, match := range allowed {
				lines = append(lines, fmt.Sprintf("-A %s%s -j RETURN", chain, match))
			}
			lines = append(lines, fmt.Sprintf("-A %s -j DROP", chain))
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "*%s\n:%s - [0:0]\n", table, chainName)
	for _, text := range [][]string{declared, top, lines} {
		for _, line := range text {
			fmt.Fprintln(&out, line)
		}
	}
	fmt.Fprintln(&out, "COMMIT")
	return out.Bytes(), nil
}

// allowed gives the matches of what a pod's policies let through in one direction.
func (w world) allowed(
	pod *corev1.Pod, policies []*networkingv1.NetworkPolicy,
	of func(*networkingv1.NetworkPolicy) direction, flag string,
) (isolated bool, matches []string, err error) {
	for _, policy := range policies {
		way := of(policy)
		selected, err := matchesSelector(&policy.Spec.PodSelector, pod.Labels)
		if err != nil {
			return false, nil, err
		}
		if policy.Namespace != pod.Namespace || !way.isolates || !selected {
			continue
		}
		isolated = true
		for _, rule := range way.rules {
			peers, err := w.peers(policy.Namespace, rule.peers, flag)
			if err != nil {
				return false, nil, err
			}
			ports, err := ports(rule.ports)
			if err != nil {
				return false, nil, fmt.Errorf("%s/%s: %w", policy.Namespace, policy.Name, err)
			}
			for _, peer := range peers {
				for _, port := range ports {
					matches = append(matches, peer+port)
				}
			}
		}
	}
	sort.Strings(matches)
	return isolated, matches, nil
}

// peers gives a match for each address that a rule's peers mean; no peers mean every address.
func (w world) peers(
	namespace string, peers []networkingv1.NetworkPolicyPeer, flag string,
) ([]string, error) {
	if len(peers) == 0 {
		return []string{""}, nil
	}
	var matches []string
	for _, peer := range peers {
		if peer.IPBlock != nil {
			blocks, err := blockOf(peer.IPBlock)
			if err != nil {
				return nil, err
			}
			for _, block := range blocks {
				matches = append(matches, fmt.Sprintf(" %s %s", flag, block))
			}
			continue
		}
		for _, pod := range w.pods {
			inNamespace := pod.Namespace == namespace
			var err error
			if peer.NamespaceSelector != nil {
				inNamespace, err = matchesSelector(peer.NamespaceSelector, w.namespaces[pod.Namespace])
			}
			selected := true
			if err == nil && peer.PodSelector != nil {
				selected, err = matchesSelector(peer.PodSelector, pod.Labels)
			}
			if err != nil {
				return nil, err
			}
			if inNamespace && selected {
				matches = append(matches, fmt.Sprintf(" %s %s", flag, pod.Status.PodIP))
			}
		}
	}
	return matches, nil
}

// ports gives a match for each port; none mean every port of every protocol.
func ports(all []networkingv1.NetworkPolicyPort) ([]string, error) {
	if len(all) == 0 {
		return []string{""}, nil
	}
	var matches []string
	for _, port := range all {
		protocol := "tcp"
		if port.Protocol != nil {
			protocol = strings.ToLower(string(*port.Protocol))
		}
		match := " -p " + protocol
		if port.Port != nil {
			if port.Port.Type != intstr.Int {
				return nil, fmt.Errorf("port %q: only numbers are enforced here", port.Port.StrVal)
			}
			match += " -m " + protocol + " --dport " + strconv.Itoa(port.Port.IntValue())
			if port.EndPort != nil {
				match += ":" + strconv.Itoa(int(*port.EndPort))
			}
		}
		matches = append(matches, match)
	}
	return matches, nil
}

func matchesSelector(selector *metav1.LabelSelector, set labels.Set) (bool, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set), err
}

// blockOf gives the ranges of a block without its exceptions.
func blockOf(block *networkingv1.IPBlock) ([]netip.Prefix, error) {
	whole, err := netip.ParsePrefix(block.CIDR)
	if err != nil {
		return nil, err
	}
	var except []netip.Prefix
	for _, text := range block.Except {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		except = append(except, prefix.Masked())
	}
	return subtract(whole.Masked(), except), nil
}

// subtract halves a range until each part lies within an exception or beside all of them.
func subtract(whole netip.Prefix, except []netip.Prefix) []netip.Prefix {
	overlaps := false
	for _, one := range except {
		if one.Bits() <= whole.Bits() && one.Contains(whole.Addr()) {
			return nil
		}
		overlaps = overlaps || whole.Overlaps(one)
	}
	if !overlaps {
		return []netip.Prefix{whole}
	}
	bits := whole.Bits() + 1
	low := netip.PrefixFrom(whole.Addr(), bits)
	bytes := whole.Addr().AsSlice()
	bytes[(bits-1)/8] |= 0x80 >> ((bits - 1) % 8)
	upper, _ := netip.AddrFromSlice(bytes)
	return append(subtract(low, except), subtract(netip.PrefixFrom(upper, bits), except)...)
}
