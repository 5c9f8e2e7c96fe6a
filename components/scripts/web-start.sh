#!/usr/bin/env bash
# Starts Apache in the foreground and stops it gracefully: requests that run at the stop are
# answered before the pod goes (issue 8 §2.8: what was answered 200 is in the database).
#
# Run by:  main container `web`. Image: matomo (uid/gid 33, no capability, read-only root).
# Volumes: /var/www/html (emptyDir, laid out), /state, /tmp (emptyDir: pid, mutexes, uploads),
#          /opt/matomo/scripts, /opt/matomo/config (site.conf: workers, trusted proxies)
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

mkdir -p /tmp/apache2

# Apache takes SIGTERM for "stop now" and SIGWINCH for "finish what runs". Not every image states
# SIGWINCH as its stop signal, so this shell stays the parent and translates.
apache2 -f /opt/matomo/scripts/apache.conf -C "Define PHP_MODULE $php_module" -DFOREGROUND &
apache=$!
trap 'kill -WINCH "$apache" 2>/dev/null || true' TERM INT WINCH
# `wait` returns early for a trapped signal; it is over when the process is gone.
status=0
while :; do
  wait "$apache" && status=0 || status=$?
  kill -0 "$apache" 2>/dev/null || break
done
exit "$status"
