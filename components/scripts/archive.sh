#!/usr/bin/env bash
# Has Matomo process its reports, over HTTP, and counts it as done only when Matomo's own words say
# so (decision 3, incidents 2 and 3: HTTP 200 alone once hid that nothing was ever archived).
#
# Run by:  CronJob matomo-archive. Image: matomo (for curl), uid/gid 33, no volume of the site.
# Volumes: /run/secrets/matomo/archive-token, /tmp (emptyDir)
# Env:     MATOMO_URL       the site inside the cluster, such as http://matomo.matomo.svc:8082
#          MATOMO_HOST      the site's host name, sent as Host
#          WAIT_SECONDS     how long a web pod may take to come back (default 300)
#          TIMEOUT_SECONDS  how long a run may take (default 3000)
# Exit:    0 archived, and the scheduled tasks after it well; 1 not, with one line that says why.
set -euo pipefail

: "${MATOMO_URL:?}" "${MATOMO_HOST:?}"
wait_seconds=${WAIT_SECONDS:-300}
timeout_seconds=${TIMEOUT_SECONDS:-3000}
token_file=/run/secrets/matomo/archive-token
log=$(mktemp /tmp/archive.XXXXXX)
trap 'rm -f "$log"' EXIT

fail() { printf 'archive: ERROR: %s\n' "$*" >&2; exit 1; }

token=$(<"$token_file") || fail "the Secret file $token_file cannot be read"
[[ $token =~ ^[0-9a-f]{32}$ ]] || fail "archive-token of Secret matomo is not 32 hex characters"

# A web pod that restarts is waited for; the tracker without parameters answers 200 without a
# database. The condition is polled because nothing announces it.
deadline=$((SECONDS + wait_seconds))
until answer=$(curl --silent --show-error --max-time 5 --output /dev/null \
  --write-out '%{http_code}' --header "Host: $MATOMO_HOST" \
  --header 'X-Forwarded-Proto: https' "$MATOMO_URL/matomo.php" 2>&1) && [ "$answer" = 200 ]; do
  [ "$SECONDS" -lt "$deadline" ] ||
    fail "the site did not answer for $wait_seconds s (last: ${answer//$'\n'/ }); is the pod of" \
      "Deployment matomo running?"
  sleep 1
done

# With force_ssl Matomo sends plain HTTP away, so the request says that TLS ends before the cluster
# (decision 15); from 5.7 on it hears that from its configuration alone (assume_secure_protocol). A
# redirect is a failure, never followed. The token goes in by curl's own
# configuration on standard input: not in argv, not in a URL, not in an access log.
printf 'archive: started at %s\n' "$MATOMO_URL"
set +e
curl --silent --show-error --no-buffer --max-time "$timeout_seconds" --max-redirs 0 \
  --header "Host: $MATOMO_HOST" --header 'X-Forwarded-Proto: https' --header 'Expect:' \
  --data 'module=API&method=CoreAdminHome.runCronArchiving&format=console' \
  --write-out '\nHTTP %{http_code} to %{redirect_url}\n' --config - "$MATOMO_URL/index.php" \
  2>&1 <<<"data-urlencode = \"token_auth=$token\"" |
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "${line//"$token"/***}"
  done | tee "$log"
curl_status=${PIPESTATUS[0]}
set -e

case $curl_status in
  0) ;;
  7) fail "the connection was refused; is the pod of Deployment matomo running?" ;;
  28) fail "no end within $timeout_seconds s; look above for the report that takes so long" ;;
  *) fail "curl ended with status $curl_status before Matomo did; the web pod may have restarted" ;;
esac
status=$(sed -n 's/^HTTP \([0-9]*\) to.*/\1/p' "$log" | tail -n 1)
case $status in
  200) ;;
  3??) fail "redirected ($(sed -n 's/^HTTP [0-9]* to //p' "$log" | tail -n 1)): Matomo takes" \
    "the request for plain HTTP, or an update is pending; restart the web pod, which sets" \
    "assume_secure_protocol again and updates. Nothing was archived" ;;
  401 | 403) fail "HTTP $status: Matomo refuses the archive token; restart the web pod, which" \
    "registers the token of Secret matomo again" ;;
  *) fail "HTTP $status; nothing was archived" ;;
esac
if grep -Eq 'done: [0-9]+ req, [0-9]+ ms, [0-9]+ errors?\.' "$log" ||
  grep -q 'SUMMARY OF ERRORS' "$log"; then
  fail "Matomo archived with errors; they are in its output above"
fi
grep -q 'Done archiving!' "$log" ||
  fail "HTTP 200, but Matomo did not say 'Done archiving!': nothing was archived"
grep -Eq 'done: [0-9]+ req, [0-9]+ ms, no error' "$log" ||
  fail "HTTP 200, but Matomo did not say 'no error' at its end: the run was cut short"
# Scheduled tasks run after that in the same request, which a fatal error of one ends without a word of
# Matomo's. The scheduler names each task that it begins, and says "done" after the last.
failed=$(awk '/Scheduler: executing task /{ task = $0; sub(/.*executing task /, "", task); sub(/\.\.\.$/, "", task) }
  /Scheduler: Error /{ print task }' "$log" | sort -u | paste -sd ' ')
[ -z "$failed" ] || fail "the reports are made, but scheduled tasks failed: $failed; their errors are above"
if ! sed '1,/Starting Scheduled tasks/d' "$log" | grep -Eq '\] done$'; then
  task=$(sed -n 's/.*Scheduler: executing task \(.*\)\.\.\.$/\1/p' "$log" | tail -n 1)
  fail "the reports are made, but the scheduled tasks did not come to their end" \
    "(the last one: ${task:-none began}); the web pod's log says why"
fi
printf 'archive: done\n'
