#!/usr/bin/env bash
# Fetches the site's state from the web pod into the backup that is being made, and checks every
# file against the list in it (decision 4: the web pod's volume is never mounted here).
#
# Run by:  init container `state` of CronJob matomo-backup. Image: matomo (for curl), uid/gid 999.
# Volumes: /backup (the backup claim), /tmp, /run/secrets/backup/state-token
# Env:     STATE_URL     such as http://matomo-state.matomo.svc:8081
#          WAIT_SECONDS  how long a web pod may take to come back (default 300)
#          HOSTNAME      the pod's name, the same in both containers
# Output:  /backup/.work/$HOSTNAME/state.tar
set -euo pipefail
umask 027

: "${STATE_URL:?}" "${HOSTNAME:?}"
wait_seconds=${WAIT_SECONDS:-300}
STATE_URL=${STATE_URL%/}
work=/backup/.work/$HOSTNAME

fail() {
  rm -rf "$work"
  printf 'backup: ERROR: %s\n' "$*" >&2
  exit 1
}

[ -w /backup ] || fail "/backup is not writable for uid $(id -u); set the pod's fsGroup to 999"
token=$(</run/secrets/backup/state-token) || fail "the state token's Secret file cannot be read"
[[ $token =~ ^[A-Za-z0-9_-]{32,}$ ]] || fail "the state token is shorter than 32 characters"

# Whatever is there is left of a killed run, unless a backup holds the lock right now.
exec 9>/backup/.lock
flock --nonblock 9 || fail "another backup is running on this volume; this one did nothing"
rm -rf /backup/.work
mkdir -p "$work/check"

deadline=$((SECONDS + wait_seconds))
until error=$(curl --silent --show-error --max-time 5 --output /dev/null "$STATE_URL/" 2>&1); do
  [ "$SECONDS" -lt "$deadline" ] ||
    fail "the web pod did not answer for $wait_seconds s ($error)"
  sleep 1
done

# The token goes in by standard input, never by argv.
set +e
status=$(curl --silent --show-error --max-time 900 --max-redirs 0 --output "$work/state.tar" \
  --write-out '%{http_code}' --config - "$STATE_URL/" \
  <<<"header = \"Authorization: Bearer $token\"")
curl_status=$?
set -e
[ "$curl_status" = 0 ] || fail "the state stream broke off (curl status $curl_status)"
[ "$status" = 200 ] || fail "the web pod answered HTTP $status: $(head -c 300 "$work/state.tar")"

# Complete, whole, and with the salt that keeps every token valid.
tar --extract --file="$work/state.tar" --directory="$work/check" --no-same-owner ||
  fail "the state stream is no whole tar"
(cd "$work/check" && sha256sum --quiet --strict --check SHA256SUMS) ||
  fail "the state stream lacks files of its own list, or they changed on the way"
grep -Eq '^salt = "?[0-9a-f]{32}' "$work/check/config/config.ini.php" ||
  fail "config.ini.php in the state has no salt"
files=$(wc -l <"$work/check/SHA256SUMS")
rm -rf "$work/check"
printf 'backup: state fetched, %s files\n' "$files"
