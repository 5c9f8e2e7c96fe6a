#!/bin/sh
# Runs Chromium in a root file system of its own, which it cannot write, and takes it along when it
# is killed. Nothing of it is installed on the machine; the network is the machine's.
#
# Run by:  tests/node/browser.ts through puppeteer-core, root; Chromium itself runs as nobody.
# Env:     CHROMIUM_ROOT, the root file system.
set -eu

# shellcheck disable=SC2016 # The inner shell's own variables.
exec unshare --mount --pid --fork --kill-child sh -c '
  mount --bind "$CHROMIUM_ROOT" "$CHROMIUM_ROOT"
  mount -o remount,bind,ro "$CHROMIUM_ROOT"
  mount -t proc proc "$CHROMIUM_ROOT/proc"
  mount --rbind /dev "$CHROMIUM_ROOT/dev"
  mount -t tmpfs tmpfs "$CHROMIUM_ROOT/tmp"
  HOME=/tmp exec chroot --userspec=nobody "$CHROMIUM_ROOT" /usr/lib/chromium/chromium-headless-shell "$@"
' sh "$@"
