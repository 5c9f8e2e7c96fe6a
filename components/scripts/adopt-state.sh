#!/usr/bin/env bash
# Takes the state of a site that still runs as the Helm release into the backup that is made before
# its adoption. Such a web pod serves no state, so its volume is mounted here, read-only and on the
# same node: as fetch-state.sh, whose place it takes, for this one Job.
#
# Run by:  init container `state` of Job matomo-adoption, made by `fleet adopt` alone. Image: matomo,
#          uid/gid 999 with the group 33 that the site's files belong to.
# Volumes: /state (the web claim, read-only; its root is the old /var/www/html), /backup, /tmp
# Env:     HOSTNAME      the pod's name, the same in both containers
# Output:  /backup/.work/$HOSTNAME/state.tar
set -euo pipefail
umask 027

state=/state
work=/backup/.work/${HOSTNAME:?}

fail() {
  rm -rf "$work"
  printf 'backup: ERROR: %s\n' "$*" >&2
  exit 1
}

[ -w /backup ] || fail "/backup is not writable for uid $(id -u); set the pod's fsGroup to 999"
[ -r "$state/config/config.ini.php" ] ||
  fail "config/config.ini.php on the web volume is not there, or not readable for group 33"
grep -Eq '^salt = "?[0-9a-f]{32}' "$state/config/config.ini.php" ||
  fail "config.ini.php on the web volume has no salt"

# Whatever is there is left of a killed run, unless a backup holds the lock right now.
exec 9>/backup/.lock
flock --nonblock 9 || fail "another backup is running on this volume; this one did nothing"
rm -rf /backup/.work
mkdir -p "$work"
members=$(mktemp /tmp/members.XXXXXX)
sums=$(mktemp -d /tmp/sums.XXXXXX)

# Of plugins/ what is not in the manifest of the code beside it: the rest is Matomo itself.
core_plugin() { grep -qsF "\"plugins/$1/" "$state/config/manifest.inc.php"; }
cd "$state"
printf 'config/config.ini.php\0' >"$members"
if [ -d misc/user ]; then find misc/user ! -type d -print0 | sort -z >>"$members"; fi
for folder in plugins/*/; do
  [ -d "$folder" ] || continue
  core_plugin "$(basename "$folder")" || find "${folder%/}" ! -type d -print0 | sort -z >>"$members"
done

while IFS= read -r -d '' member; do
  if [ -f "$member" ] && [ ! -L "$member" ]; then
    sha256sum -- "$member"
  fi
done <"$members" >"$sums/SHA256SUMS"
tar --create --file="$work/state.tar" --no-recursion --owner=33 --group=33 --numeric-owner \
  --directory="$sums" SHA256SUMS \
  --directory="$state" --null --verbatim-files-from --files-from="$members" ||
  fail "the state on the web volume cannot be read whole"
# What is hashed and what is stored are two reads: a setting that was saved in between is seen here.
mkdir "$work/check"
tar --extract --file="$work/state.tar" --directory="$work/check" --no-same-owner ||
  fail "the state is no whole tar"
(cd "$work/check" && sha256sum --quiet --strict --check SHA256SUMS) ||
  fail "a file of the state changed while it was read; run it again"
rm -rf "$work/check"
printf 'backup: state taken, %s files\n' "$(wc -l <"$sums/SHA256SUMS")"
