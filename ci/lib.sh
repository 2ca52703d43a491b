# Shared by the scripts beside it: where things are, how a failure is told. Sourced, not run.
# shellcheck shell=bash
set -euo pipefail
export LC_ALL=C.UTF-8

AIMA_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export AIMA_ROOT
DOCKER_SOCKET="${DOCKER_SOCKET:-/var/run/docker.sock}"

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# usage_of FILE: the comment at the head of a script is its help page.
usage_of() { sed -n '2,/^[^#]/{s/^# \{0,1\}//;t print;b;:print p}' "$1"; }

# Does a container engine answer on the Docker socket?
docker_answers() {
  [ -S "$DOCKER_SOCKET" ] &&
    curl --silent --fail --max-time 5 --unix-socket "$DOCKER_SOCKET" \
      http://localhost/_ping >/dev/null 2>&1
}

jobs_here() { nproc 2>/dev/null || echo 2; }
# Tests wait for deadlines and daemons as much as they compute.
tests_at_once() { echo $(($(jobs_here) + 1)); }

# ccache hits also from another checkout: paths below the root are not part of the key.
export CCACHE_BASEDIR="$AIMA_ROOT" CCACHE_NOHASHDIR=1

# build PRESET [DIR] [TARGET…]: configures (once) and builds; DIR overrides the preset's folder.
build() {
  local preset="$1" dir="${2:-$AIMA_ROOT/build/$1}"
  shift 2 || shift $#
  local -a only=()
  local target
  for target in "$@"; do only+=(--target "$target"); done
  say "building $preset in $dir"
  if [ ! -e "$dir/build.ninja" ]; then
    (cd "$AIMA_ROOT" && cmake --preset "$preset" -B "$dir" >"$dir.configure.log" 2>&1) || {
      cat "$dir.configure.log" >&2
      die "CMake could not configure $dir; see above"
    }
  fi
  cmake --build "$dir" --parallel "$(jobs_here)" "${only[@]}" >"$dir.build.log" 2>&1 || {
    grep -E -A12 'FAILED:|error:' "$dir.build.log" | head -80 >&2 || true
    die "the build failed; all of its output is in $dir.build.log"
  }
}

# start_ticks PID: when it started; nothing if it is gone or a zombie. A pid alone may be reused.
start_ticks() {
  sed -n 's/^.*) \([A-Z]\) \(.*\)$/\1 \2/p' "/proc/$1/stat" 2>/dev/null |
    awk '$1 != "Z" && $1 != "X" { print $20 }' || true
}

# stop_dockerd FILE: ends the dockerd that ci/setup noted there, and waits until it is gone.
stop_dockerd() {
  [ -e "$1" ] || return 0
  local pid ticks deadline=$((SECONDS + 30))
  read -r pid ticks <"$1" || true
  rm -f "$1"
  while [ -n "$ticks" ] && [ "$(start_ticks "$pid")" = "$ticks" ]; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill -KILL "$pid" 2>/dev/null || true
      return 0
    fi
    [ -n "${asked:-}" ] || kill -TERM "$pid" 2>/dev/null || true
    local asked=yes
    sleep 0.05 # between two questions, not in place of them
  done
}
