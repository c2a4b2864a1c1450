#!/bin/sh
# One command on a fresh machine: sh run.sh demo | test | qzo <arguments>. Sets up what is missing, then runs it.
set -eu
cd "$(dirname "$0")"
. scripts/set_up.sh

usage() {
  cat <<'TEXT'
Usage: sh run.sh <command>

  demo              fine-tune the bundled model with QZO and show what changed
  test              every check of the repository, the test suite last
  qzo <arguments>   the command line: finetune, evaluate, generate, quantize, inspect, ...

The first run sets up a recent Deno, a Vulkan driver and the dependencies (in .tools/ and Deno's
own cache); later runs skip that.
TEXT
}

command="${1:-help}"
[ $# -gt 0 ] && shift
case "$command" in
demo)
  set_up
  need_adapter
  exec "$DENO" run --allow-read --allow-write --allow-env examples/demo.ts "$@"
  ;;
test)
  set_up
  want_adapter
  sh scripts/test_tools.sh
  exec "$DENO" run -A scripts/ok.ts "$@"
  ;;
qzo)
  set_up >&2
  want_adapter >&2
  exec "$DENO" run --allow-read --allow-write --allow-env cli/main.ts "$@"
  ;;
help | --help | -h) usage ;;
*)
  usage >&2
  echo "Unknown command \"$command\"." >&2
  exit 2
  ;;
esac
