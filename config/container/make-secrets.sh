#!/bin/sh
# Make the secrets that compose.yaml hands to its services; those that exist stay as they are.
set -eu
folder="$(dirname "$0")/secrets"
mkdir -p "$folder"
# The folder keeps others out. The files can be read by the services' users, who get them as bind mounts with this mode.
chmod 0700 "$folder"
for name in postgres prometheus privacy grafana; do
  [ -e "$folder/$name" ] && continue
  (umask 0377 && head -c 32 /dev/urandom | base64 | tr -d '\n=' >"$folder/$name")
  chmod 0444 "$folder/$name"
done
