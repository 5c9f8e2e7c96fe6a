#!/usr/bin/env bash
# Starts Apache with PHP and the front before it, and stops them gracefully: requests that run at the stop are
# answered before the pod goes (issue 8 §2.8: what was answered 200 is in the database).
#
# Run by:  container `web`, after install.php, by the shell that is its first process. Image: matomo (uid/gid 33, no capability, read-only root).
# Volumes: /var/www/html (emptyDir, laid out), /state, /tmp (emptyDir: pids, mutexes, uploads),
#          /opt/matomo/scripts, /opt/matomo/config (site.conf: workers; proxies.conf)
# Env:     PHP_INI_SCAN_DIR=:/opt/matomo/config
# Ports:   8080 site (from the ingress), 8081 state export, 8082 site from inside the cluster
set -euo pipefail

modules=/usr/lib/apache2/modules
php_module=
# libphp.so in the official image, libphp8.2.so and the like in Debian's package.
for candidate in "$modules"/libphp*.so; do
  [ -f "$candidate" ] && php_module=$candidate
done
[ -n "$php_module" ] || { echo "web: ERROR: no PHP module in $modules" >&2; exit 1; }

mkdir -p /tmp/apache2 /tmp/front

front="" early=""

# Apache takes SIGTERM for "stop now" and SIGWINCH for "finish what runs", and the second signal of any
# kind for "stop now" too. Not every image states SIGWINCH as its stop signal, so this shell stays the
# parent, translates, and signals once.
stop() {
  trap : TERM INT WINCH
  [ -n "$front" ] || { early=yes; return; }
  # Before it knows SIGWINCH it has no worker, and answers nobody.
  if knows_winch; then
    kill -WINCH "$front" || true
    # Apache itself looks for the last worker's end once a second; each one is a second without a site.
    # When its own time for that is over, it ends all of its process group, this sleep too.
    while answering; do sleep 0.05 || true; done
  fi
  kill -TERM "$front" 2>/dev/null || true
}

# Whether the front has taken the place of the shell that starts it, and catches signal 28.
knows_winch() {
  local status
  status=$(cat "/proc/$front/status" 2>/dev/null) || return 1
  [[ $status == Name:*apache2$'\n'* && $status =~ SigCgt:[[:space:]]([0-9a-f]+) ]] &&
    ((0x${BASH_REMATCH[1]} >> 27 & 1))
}

# Whether a request is being answered: the front has a child that is no log pipe and has not ended. Linux' own list of
# a process's children leaves out living ones while others end (proc_pid_task(5)).
answering() {
  local stat name state parent
  for stat in /proc/[0-9]*/stat; do
    read -r _ name state parent _ 2>/dev/null <"$stat" || continue
    [ "$name $parent" != "(apache2) $front" ] || [ "$state" = Z ] || return 0
  done
  return 1
}

trap stop TERM INT WINCH
# What came before this trap left the file.
[ ! -e /tmp/stopping ] || exit 143
apache2 -f /opt/matomo/scripts/apache.conf -C "Define PHP_MODULE $php_module" -DFOREGROUND &
php=$!
apache2 -f /opt/matomo/scripts/front.conf -DFOREGROUND &
front=$!
[ -z "$early" ] || stop

# One without the other serves nobody. `wait` returns early for a trapped signal; it is over when the
# process is gone.
while kill -0 "$front" 2>/dev/null && kill -0 "$php" 2>/dev/null; do wait -n || true; done
for one in "$front" "$php"; do kill -TERM "$one" 2>/dev/null || true; done
# A further signal changes nothing, and would be taken for how they ended.
trap '' TERM INT WINCH
status=0
for one in "$front" "$php"; do
  while kill -0 "$one" 2>/dev/null; do wait "$one" || true; done
  wait "$one" || status=$?
done
exit "$status"
