#!/bin/sh
# Holds a node's first process: hands SIGTERM on to it, which unshare would not, and takes it along
# when it is killed itself.
#
# Run by:  local/node/node.ts as a daemon, root. Argument: init.sh; its environment is init.sh's.
set -eu

setpriv --pdeathsig KILL unshare --mount --net --pid --uts --ipc --fork --kill-child sh "$1" &
unshare=$!
# Several words at most while it starts; one process later.
trap 'kill -TERM $(cat "/proc/$unshare/task/$unshare/children")' TERM
# wait returns early for a signal that was handed on.
while [ -d "/proc/$unshare" ]; do wait "$unshare" || true; done
