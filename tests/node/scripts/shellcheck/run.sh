#!/bin/sh
# Runs shellcheck in a root file system of its own, on the files below the folder that it is called in.
# Nothing of it is installed on the machine.
#
# Run by:  tests/node/scripts/lint.test.ts, itself or through actionlint, as root.
# Env:     SHELLCHECK_ROOT, the root file system.
set -eu

# shellcheck disable=SC2016 # The inner shell's own variables.
exec unshare --mount sh -c '
  mount --bind "$PWD" "$SHELLCHECK_ROOT/mnt"
  exec chroot "$SHELLCHECK_ROOT" env --chdir=/mnt LC_ALL=C.UTF-8 shellcheck "$@"
' sh "$@"
