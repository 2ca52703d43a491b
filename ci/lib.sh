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
