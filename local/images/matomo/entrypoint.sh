#!/bin/sh
# Entrypoint of the stand-in of the Matomo image. Like the official one it lays Matomo's code out
# into an empty document root and leaves one that has it alone (incident 20), then runs the command.
set -e

if [ ! -e matomo.php ]; then
  tar --create --file=- --one-file-system --directory=/usr/src/matomo . | tar --extract --file=-
  if [ "$(id -u)" = 0 ]; then
    chown -R www-data:www-data .
  fi
fi
exec "$@"
