#!/usr/bin/env bash
# Lays out Matomo's code afresh and joins it to the state on the volume (decision 1, incidents 9,
# 10, 17, 20: an image bump upgrades, old code never survives, the UI can save).
#
# Run by:  container `web`, before install.php. Image: matomo (uid/gid 33).
# Volumes: /state          the web volume, read-write. An adopted one holds the whole old site.
#          /var/www/html   emptyDir: the site as Apache serves it, made new at each pod start
#          /tmp            emptyDir
#          /opt/matomo/scripts, /opt/matomo/config   ConfigMaps, read-only
# Env:     none. Needs no database and no network.
set -euo pipefail

code=/usr/src/matomo
site=/var/www/html
state=/state
scripts=/opt/matomo/scripts
config=/opt/matomo/config

say() { printf 'layout: %s\n' "$*"; }
fail() { printf 'layout: ERROR: %s\n' "$*" >&2; exit 1; }

# Prints the version that a Version.php states, without running it: Matomo writes `public const` from
# 5.1.0 on and `const` before, and PHP takes more forms. Nothing where it states none.
# shellcheck disable=SC2016 # PHP's variables
version_of() {
  php -r '
    $constant = "/\bconst\s+(?:\w+\s+)?VERSION\s*=\s*([\"\x27])([^\"\x27]+)\\1\s*[;,]/";
    preg_match($constant, @php_strip_whitespace($argv[1]), $found);
    echo trim($found[2] ?? "");' -- "$1"
}

# shellcheck disable=SC2016 # PHP's variables
older() { php -r 'exit(version_compare($argv[1], $argv[2], "<") ? 0 : 1);' -- "$1" "$2"; }

[ -f "$code/core/Version.php" ] ||
  fail "the image holds no Matomo at $code; use an official matomo image (…-apache)."
# Without it the image would pass for older than everything: no start after the first one.
image_version=$(version_of "$code/core/Version.php")
[ -n "$image_version" ] ||
  fail "the image's $code/core/Version.php states no version (VERSION = '…'), so it cannot be told" \
    "whether this is a downgrade. Use an official matomo image (…-apache). Nothing was changed."
# Its classes have other names, so that install.php would end half way.
[ "${image_version%%.*}" -lt 6 ] ||
  fail "the image holds Matomo $image_version, and this program has been tried with versions before 6" \
    "alone. Set matomo:matomo.version back. Nothing was changed."
probe=$(mktemp "$state/.writable.XXXXXX") ||
  fail "$state is not writable for uid $(id -u); set the pod's fsGroup to 33 (it owns the volume)."
rm -f "$probe"

# Never a downgrade: Matomo has no way back from a newer schema. `version` is written by
# install.php; an adopted volume tells it by the old site's own Version.php. Where one says nothing,
# install.php asks the database, and writes `version` anew.
for known in "$state/.matomo/version" "$state/core/Version.php"; do
  [ -e "$known" ] || continue
  case $known in
    *.php) last_version=$(version_of "$known") ;;
    *) last_version=$(tr -d '[:space:]' <"$known") ;;
  esac
  if [ -z "$last_version" ]; then
    say "WARNING: $known states no version; the database is asked for it"
  elif older "$image_version" "$last_version"; then
    fail "Matomo $image_version would replace $last_version, a downgrade that Matomo cannot do." \
      "Set the image to $last_version or newer, or restore a backup of $image_version."
  fi
done

mkdir -p "$state/config" "$state/misc/user" "$state/plugins" "$state/.matomo"

# On an adopted volume plugins/ also holds the old core's plugins. They are code, and must not be
# found by the new one: moved aside by name, not deleted, so that the old site can be put back.
move_old_core_plugins() {
  local old=$state/.matomo/old-core-plugins manifest=$state/config/manifest.inc.php path name
  for path in "$state"/plugins/*/; do
    [ -d "$path" ] || continue
    name=$(basename "$path")
    if [ -d "$code/plugins/$name" ] ||
      { [ -f "$manifest" ] && grep -qF "\"plugins/$name/" "$manifest"; }; then
      mkdir -p "$old"
      rm -rf "${old:?}/$name"
      mv "$path" "$old/$name"
      say "moved the old core plugin $name to $old"
    elif [ -z "$(find "$path" -type f -print -quit)" ]; then
      rm -rf "$path" # what is left of a plugin that was uninstalled in the UI
    fi
  done
}
move_old_core_plugins

# Its configuration is kept as it was, once, for the same reason: install.php takes out of it what the
# program says elsewhere.
live=$state/config/config.ini.php
old_config=$state/.matomo/old-config.ini.php
if [ -e "$state/core/Version.php" ] && [ ! -e "$state/.matomo/version" ] &&
  [ ! -e "$old_config" ] && [ -s "$live" ]; then
  cp --preserve=mode,timestamps "$live" "$old_config.new"
  mv "$old_config.new" "$old_config"
fi

# The emptyDir outlives a restarted sandbox of the same pod, so it is emptied first.
find "$site" -mindepth 1 -delete
# Not the folder itself, which is kubelet's: this user may not set its times and mode.
shopt -s dotglob
cp -R --preserve=mode,timestamps "$code"/* "$site/"
chmod -R u+w "$site"/*
shopt -u dotglob

# misc/user is state. What the image ships there (index.html, .htaccess) belongs to Matomo's
# manifest and is put beside the users' files without replacing one.
if [ -d "$site/misc/user" ]; then
  cp -Rn "$site/misc/user/." "$state/misc/user/"
  rm -rf "$site/misc/user"
fi
mkdir -p "$site/misc"
ln -s "$state/misc/user" "$site/misc/user"
ln -s "$state/plugins" "$site/added-plugins"
rm -f "$site/config/config.ini.php"
ln -s "$state/config/config.ini.php" "$site/config/config.ini.php"
cp "$scripts/bootstrap.php" "$site/bootstrap.php"
cp "$scripts/container.php" "$site/config/config.php"
cp "$config/common.config.ini.php" "$site/config/common.config.ini.php"

# tmp/ is a cache. Apache's own configuration forbids it; the .htaccess is for Matomo's system
# check and for whoever serves this tree with another server (incident 10).
mkdir -p "$site"/tmp/{assets,cache,climulti,latest,logs,sessions,tcpdf,templates_c}
printf 'Require all denied\n' >"$site/tmp/.htaccess"
chmod -R u=rwX,go= "$site/tmp"

# A write of config.ini.php that a killed pod cut short leaves a file without its salt, and with
# it every token invalid. The last good copy is kept by install.php.
kept=$state/.matomo/config.ini.php
if [ -e "$live" ] && ! grep -q '^salt = ' "$live" && [ -s "$kept" ]; then
  cp "$kept" "$live.new"
  mv "$live.new" "$live"
  say "WARNING: config.ini.php was cut short; put back the last good copy"
fi

say "Matomo $image_version laid out; $(find "$state/plugins" -mindepth 1 -maxdepth 1 -type d |
  wc -l) third-party plugins"
