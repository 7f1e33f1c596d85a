#!/usr/bin/env bash
# Install the peers that the tests run against, from Debian's own packages; nothing is done where they are there already.
set -euo pipefail
declare -A peers=(
  [freeDiameterd]="freediameter freediameter-extensions"
  [tshark]="tshark"
  [mosquitto]="mosquitto"
  [mosquitto_sub]="mosquitto-clients"
  [strace]="strace"
  [bearerbox]="kannel"
  [drive_smpp]="kannel-extras"
  [osmo-hlr]="osmo-hlr"
  [promtool]="prometheus"
  [systemd-analyze]="systemd"
  [chromium]="chromium"
  [cc]="gcc libc6-dev"
  [hledger]="hledger"
)
export PATH="$PATH:/usr/sbin:/sbin:/usr/lib/kannel/test"
missing=()
for program in "${!peers[@]}"; do
  command -v "$program" >/dev/null || missing+=(${peers[$program]})
done
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
[ "${#missing[@]}" -eq 0 ] && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
echo "installing: ${missing[*]}"
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
