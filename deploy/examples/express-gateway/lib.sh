# What express-gateway-required and express-gateway-paths share: the real gateway
# beside the sidecar, before the same service, and the same requests to both.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

peer=$here/../express-gateway
export NODE_PATH=$peer/node_modules${NODE_PATH:+:$NODE_PATH}

# gateway NAME FOLDER runs it with the configuration in $work/FOLDER; where it is
# reached is in $gateway_url, which stays empty when it is not installed.
gateway() {
  gateway_url=
  if [[ ! -d $peer/node_modules/express-gateway ]]; then
    echo "Express Gateway is not installed (npm ci in $(realpath "$peer")): left out" >&2
    return
  fi
  start "$1" 'https server listening on 127\.0\.0\.1:([0-9]+)' \
    env GATEWAY_PORT="${GATEWAY_PORT:-0}" SERVICE_URL="http://127.0.0.1:$application" node "$peer/gateway.js" "$work/$2"
  gateway_url=https://localhost:${BASH_REMATCH[1]}
}

# heads prints the head of the table, with the versions of what answers.
heads() {
  local version='not installed'
  [[ -z $gateway_url ]] || version="$(node -p 'require("express-gateway/package.json").version'), Node $(node -p process.versions.node)"
  table_head mtls-sidecar "Express Gateway $version"
}

# line makes a line of what was wanted of and got from the sidecar and the
# gateway. Where more than one answer of the gateway's is right, since it depends
# on Node's version, they are separated by " or ".
line() {
  local what=$1 want=$2 got=$3 want_gateway=$4 got_gateway=$5
  [[ " or $want_gateway or " == *" or $got_gateway or "* ]] && want_gateway=$got_gateway
  row "$what" "$want" "$got" "$want_gateway" "$got_gateway"
}

# both WHAT WANT GATEWAY'S PATH ARGUMENTS… makes the same request to both.
both() {
  local what=$1 want=$2 want_gateway=$3 path=$4 got_sidecar
  shift 4
  ask -k "$@" "$url$path"
  got_sidecar=$got got='not installed'
  if [[ $gateway_url ]]; then
    ask -k "$@" "$gateway_url$path"
  else
    want_gateway=$got
  fi
  line "$what" "$want" "$got_sidecar" "$want_gateway" "$got"
}
