# What the examples' run scripts share. It starts programs on ports of their own
# choice and stops them, makes requests, and prints each answer as a line of a
# Markdown table: the table in the example's README.
#
#   SIDECAR=/path/to/mtls-sidecar   else ./mtls-sidecar in the top folder, the PATH, or built by go
#   HTTPS_PORT, APP_PORT, …         else free ports
#   KEEP=1                          leaves certificates and logs where they are
set -euo pipefail
export LC_ALL=C no_proxy=localhost,127.0.0.1
unset "${!MTLS_@}" "${!EG_@}" http_proxy HTTP_PROXY # the sidecar's and the gateway's settings are those in the scripts

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
names=() # of what runs, in the order of its start
declare -A pid fd
wrong=0

die() {
  echo "$*" >&2
  exit 2
}

need() {
  local program
  for program; do
    command -v "$program" >/dev/null || die "$program is not installed"
  done
}

# need_modules FOLDER MODULE… wants what npm ci installs there.
need_modules() {
  local folder=$1 module
  shift
  for module; do
    (cd "$here" && node -e 'require.resolve(process.argv[1])' "$module") 2>"$work/modules.log" || die "$module is not installed: run npm ci in $(realpath "$folder")"
  done
}

# start NAME PATTERN COMMAND… runs it in $work until the script ends, and waits
# until it has written a line that matches; BASH_REMATCH is the match. It reads
# from the named pipe $work/NAME.in, if there is one.
start() {
  local name=$1 pattern=$2 descriptor input=/dev/null
  shift 2
  [[ -p $work/$name.in ]] && input=$work/$name.in
  mkfifo "$work/$name.out"
  (cd "$work" && exec "$@") >"$work/$name.out" 2>&1 <"$input" &
  pid[$name]=$!
  names+=("$name")
  exec {descriptor}<"$work/$name.out"
  fd[$name]=$descriptor
  await "$name" "$pattern"
}

# await NAME PATTERN… waits for a line that matches each.
await() {
  local name=$1 line pattern
  shift
  while IFS= read -r -t 60 -u "${fd[$name]}" line; do
    printf '%s\n' "$line" >>"$work/$name.log"
    for pattern; do
      [[ $line =~ $pattern ]] || continue 2
    done
    return
  done
  die "$name did not say: $*"
}

# stop NAME ends it; its exit code is in $ended.
stop() {
  ended=0
  kill "${pid[$1]}" 2>/dev/null || true # it may have ended
  wait "${pid[$1]}" || ended=$?
  timeout 10 cat <&"${fd[$1]}" >>"$work/$1.log" || true
  unset "pid[$1]"
  rm -f "$work/$1.out"
}

finish() {
  local code=$? i name
  trap - EXIT
  trap '' INT TERM # a second one does not end this before all is stopped
  for ((i = ${#names[@]} - 1; i >= 0; i--)); do
    name=${names[i]}
    [[ -n ${pid[$name]:-} ]] || continue
    stop "$name"
    if [[ $name == sidecar* ]] && ((ended != 0)); then
      echo "$name ended with exit code $ended" >&2
      wrong=$((wrong + 1))
    fi
  done
  if ((code == 0 && wrong > 0)); then
    code=1
    echo "$wrong not as expected" >&2
  fi
  if ((code != 0)); then
    tail -n 12 "$work"/*.log | cut -c 1-400 >&2 || true
  fi
  if [[ ${KEEP:-} ]]; then
    echo "kept: $work"
  else
    rm -rf "$work"
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# certificates runs the example's openssl commands in the folder $work.
certificates() {
  (cd "$work" && bash "$here/certificates") >"$work/certificates.log" 2>&1 || die "the openssl commands failed"
}

# application FILE runs it under node; its port is in $application.
application() {
  start application '^listening on 127\.0\.0\.1:([0-9]+)$' env PORT="${APP_PORT:-0}" node "$here/$1"
  application=${BASH_REMATCH[1]}
}

find_sidecar() {
  local top=$here/../../..
  if [[ ${SIDECAR:-} ]]; then
    SIDECAR=$(realpath "$SIDECAR")
    [[ -x $SIDECAR ]] || die "SIDECAR=$SIDECAR is no program"
  elif [[ -x $top/mtls-sidecar ]]; then
    SIDECAR=$top/mtls-sidecar
  elif SIDECAR=$(command -v mtls-sidecar); then
    return
  else
    need go
    SIDECAR=$work/mtls-sidecar
    (cd "$top" && CGO_ENABLED=0 go build -o "$SIDECAR" ./cmd/mtls-sidecar) || die "the sidecar cannot be built"
  fi
}

# sidecar NAME PORT VARIABLE=value… runs it before the application; where it is
# reached is in $url.
sidecar() {
  local name=$1 port=$2
  shift 2
  start "$name" '"msg":"listening".*"addr":"[^"]*:([0-9]+)"' env MTLS_LISTEN_ADDR="127.0.0.1:$port" MTLS_ADMIN_ADDR=off MTLS_DRAIN_DELAY=0s \
    MTLS_UPSTREAM_URL="http://127.0.0.1:$application" "$@" "$SIDECAR"
  url=https://localhost:${BASH_REMATCH[1]}
}

# told STATUS BODY puts an answer into one line. Of a page of the sidecar's own
# that is the reason.
told() {
  local body
  body=$(tr -d '\n' <<<"$2")
  if [[ $body =~ \<code\>([a-z_]+)\</code\> ]]; then
    body=${BASH_REMATCH[1]}
  fi
  got="$1${body:+ $body}"
}

# ask ARGUMENTS… is curl, in the folder with the certificates.
ask() {
  local status code=0
  status=$(cd "$work" && curl -q -sS -4 --max-time 30 -o body -w '%{http_code}' "$@" 2>curl.log) || code=$?
  case $code in
    0) told "$status" "$(tr -d '\0' <"$work/body")" ;;
    35 | 52 | 55 | 56) got='refused in the handshake' ;; # 52, 55, 56: TLS 1.3, where the client learns of it after its own part
    *) got="curl's exit code $code: $(<"$work/curl.log")" ;;
  esac
  rm -f "$work/body"
}

# httpie ARGUMENTS… likewise.
httpie() {
  local answer code=0
  answer=$(cd "$work" && http --ignore-stdin --verify=no --pretty=none --print=hb --timeout=30 "$@" 2>httpie.log | tr -d '\r') || code=$?
  if ((code != 0)); then
    got="HTTPie's exit code $code: $(<"$work/httpie.log")"
  elif [[ $answer =~ ^HTTP/[0-9.]+\ ([0-9]+) ]]; then
    code=${BASH_REMATCH[1]}
    [[ $answer == *$'\n\n'* ]] || answer=
    told "$code" "${answer#*$'\n\n'}"
  fi
}

# table_head COLUMN… prints the head of the table.
table_head() {
  local column line='| request |' rule='|---|'
  for column; do
    line+=" $column |" rule+='---|'
  done
  printf '%s\n%s\n' "$line" "$rule"
}

# row WHAT WANT GOT [WANT GOT] prints a line of the table and counts what is not
# as it should be.
row() {
  local line="| $1 |" want
  shift
  while (($#)); do
    line+=" $2 |"
    if [[ $1 != "$2" ]]; then
      wrong=$((wrong + 1))
      line+=" <-- expected: $1"
    fi
    shift 2
  done
  printf '%s\n' "$line"
}

# check WHAT WANT ARGUMENTS… is a line that curl asks for, check_httpie one for
# HTTPie, where that is installed.
check() {
  local what=$1 want=$2
  shift 2
  ask "$@"
  row "$what" "$want" "$got"
}

check_httpie() {
  local what=$1 want=$2
  shift 2
  if ! command -v http >/dev/null; then
    echo "HTTPie is not installed: left out" >&2
    return
  fi
  httpie "$@"
  row "$what" "$want" "$got"
}
