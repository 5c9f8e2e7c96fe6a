#!/bin/sh
# The first process of a node: a Debian root file system of its own, in mount, network, process,
# host name and IPC namespaces of its own. All that it mounts, routes, filters and starts ends with
# it, and none of it is seen by the machine.
#
# Run by:  local/node/node.ts, as `unshare … sh init.sh`, root, in the cluster's folder.
# Env:     ROOTFS    the node's root file system, read only
#          BINARIES  folders of the programs that come from Go modules, separated by spaces
#          API_PORT  the API server's port, the same in here as outside
#          NODE      name of the node; NODE_IP and SERVICE_RANGE its addresses; REGION its region
#          CGROUP    cgroup below which every pod is
# Files:   node/ below the cluster's folder: configuration, disks, what containerd and kubelet keep;
#          api.sock (the API server, from outside), egress.sock (this network, from outside)
set -eu

folder=$PWD
root=$folder/node/root

# 1. The root: the cached file system below, whatever is written to it in memory above.
mount --make-rprivate /
mount -t tmpfs -o mode=0755 node "$root"
mkdir "$root/upper" "$root/work" "$root/new"
mount -t overlay -o "lowerdir=$ROOTFS,upperdir=$root/upper,workdir=$root/work" node "$root/new"
new=$root/new
mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount --rbind /sys/fs/cgroup "$new/sys/fs/cgroup"
mount --rbind /dev "$new/dev"
mount -t tmpfs -o mode=0755 run "$new/run"
mount -t tmpfs -o mode=1777 tmp "$new/tmp"
mkdir -p "$new$folder" "$new/var/lib/containerd" "$new/var/lib/kubelet" "$new/etc/cni" "$new/old"
mount --bind "$folder" "$new$folder"
mount --bind "$folder/node/containerd" "$new/var/lib/containerd"
mount --bind "$folder/node/kubelet" "$new/var/lib/kubelet"
mount --bind "$folder/node/cni" "$new/etc/cni"
for binaries in $BINARIES; do
  mkdir -p "$new$binaries"
  mount --bind -o ro "$binaries" "$new$binaries"
done
cd "$new"
pivot_root . old
umount --lazy /old
cd "$folder"
# Pods' mounts reach kubelet and containerd both.
mount --make-rshared /

# 2. kubelet sets some of the kernel's values. They belong to the machine, not to this node: it gets
# files that look like them.
for tunable in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/$(echo "${tunable%=*}" | tr / -)
  echo "${tunable#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${tunable%=*}"
done

tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
# kubelet wants the group that it makes its own in to be there, in each hierarchy of version 1 or in
# the one of version 2.
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ ! -e "$hierarchy/cgroup.procs" ] || mkdir -p "$hierarchy$CGROUP"
done

# 3. The network: nothing but a loopback. Services' addresses are no interface's; a route has to
# lead somewhere for kube-proxy to see the packet.
hostname "$NODE"
ip link set lo up
ip address add "$NODE_IP/32" dev lo
ip route add "$SERVICE_RANGE" dev lo src "$NODE_IP"
echo 1 >/proc/sys/net/ipv4/ip_forward
: >/run/resolv.conf

# 4. The programs, each started again when it ends, as an init system would.
PATH=$PATH:$(echo "$BINARIES" | tr ' ' ':')
supervise() {
  log=$folder/node-$1.log
  pid_file=/run/$1.pid
  shift
  while [ ! -e /run/ending ]; do
    "$@" >>"$log" 2>&1 &
    echo $! >"$pid_file"
    wait $! || echo "init: ended with $?" >>"$log"
    sleep 1
  done
}
supervise egress node proxy -from unix:egress.sock &
supervise api node forward -from ":$API_PORT" -to unix:api.sock &
supervise containerd containerd --config node/containerd.toml &
supervise volumes node volumes -socket /var/lib/kubelet/plugins/dobs/csi.sock \
  -registration /var/lib/kubelet/plugins_registry/dobs-reg.sock \
  -node "$NODE" -region "$REGION" -disks node/disks -list volumes.json &
supervise kube-proxy kube-proxy --config=node/kube-proxy.yaml &
supervise policies policies -kubeconfig policies.kubeconfig -in-force /run/policies.json &
supervise kubelet kubelet --config=node/kubelet.yaml --kubeconfig=node.kubeconfig \
  --hostname-override="$NODE" --node-ip="$NODE_IP" --node-labels="$NODE_LABELS" \
  --cert-dir=/var/lib/kubelet/pki &

# 5. The end: containers first, so that a database closes its files; this process' end takes all
# that is left with it.
any_left() {
  while read -r pid; do
    [ ! -d "/proc/$pid" ] || return 0
  done </run/pods
  return 1
}
end() {
  trap '' TERM
  : >/run/ending
  kill -KILL "$(cat /run/kubelet.pid)" || true
  find "/sys/fs/cgroup/memory$CGROUP" "/sys/fs/cgroup$CGROUP" -name cgroup.procs \
    -exec cat {} + 2>/dev/null | sort -u >/run/pods
  while read -r pid; do kill -TERM "$pid" 2>/dev/null || true; done </run/pods
  tenths=100
  while [ "$tenths" -gt 0 ] && any_left; do
    tenths=$((tenths - 1))
    sleep 0.1
  done
  exit 0
}
trap end TERM
while :; do wait || true; done
