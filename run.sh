#!/bin/sh
# One command on a fresh machine: sh run.sh demo | test | qzo <arguments> | ... Sets up what is missing, then runs it where it was called:
# paths count from the caller's folder.
set -eu
here=$PWD
self=$0
while [ -h "$self" ]; do # called by a link to it
  target=$(readlink -- "$self")
  case "$target" in
  /*) self=$target ;;
  *) self=$(dirname -- "$self")/$target ;;
  esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd)
rights="--allow-read --allow-write --allow-env"

usage() {
  cat <<'TEXT'
Usage: sh run.sh <command>

  demo              fine-tune the bundled model with QZO and show what changed
  qzo <arguments>   the command line: finetune, evaluate, generate, quantize, inspect, ...
  install           make `qzo` a command of its own, from this clone
  link <folder>     let the scripts of a folder import @qzo/qzo from this clone
  test              every check of the repository, the test suite last: about fourteen minutes on two cores;
                    with --no-suite the checks alone. One file, or the fast tests: see CONTRIBUTING.md

From any folder, with the path of run.sh; other paths count from where you are. The first run sets up a
recent Deno, a Vulkan driver and the dependencies (in .tools/ and Deno's own cache); later runs skip that.
TEXT
}

# Deno of this clone's configuration, whatever configuration the caller's folder has.
run_here() {
  cd "$here"
  # shellcheck disable=SC2086 # several words
  exec "$DENO" run $rights --config "$root/deno.json" "$@"
}

# Says what of these folders is not in the caller's PATH; set_up has put Deno's into this script's own.
add_to_path() {
  missing=""
  for folder in "$@"; do
    case ":$caller_path:$missing" in *":$folder:"*) ;; *) missing="$missing$folder:" ;; esac
  done
  [ -z "$missing" ] || echo "Add to PATH: export PATH=\"$missing\$PATH\""
}

command="${1:-help}"
[ $# -gt 0 ] && shift
case "$command ${1:-}" in
# The other commands have a help of their own.
"install --help" | "install -h" | "link --help" | "link -h" | "test --help" | "test -h")
  usage
  exit 0
  ;;
esac
case "$command" in
demo | qzo | install | link | test)
  cd "$root"
  . scripts/set_up.sh
  ;;
esac
case "$command" in
demo)
  set_up
  need_adapter
  run_here "$root/examples/demo.ts" "$@"
  ;;
qzo)
  set_up >&2
  want_adapter >&2
  QZO_COMMAND="sh $(as_typed "$0") qzo"
  export QZO_COMMAND
  run_here "$root/cli/main.ts" "$@"
  ;;
install)
  set_up
  linked=$("$DENO" run --allow-read --allow-write scripts/linked_tree.ts)
  # shellcheck disable=SC2086
  "$DENO" install --quiet --global --force --name qzo $rights --config "$linked/deno.json" "$@" "$linked/cli/main.ts"
  bin="${DENO_INSTALL_ROOT:-$HOME/.deno}/bin"
  # What was installed calls deno by its name: where Deno is this clone's own, another terminal may have none of that name.
  if [ "$DENO" = "$root/.tools/bin/deno" ] && [ -f "$bin/qzo" ]; then
    sed "s|^exec deno |exec '$DENO' |" "$bin/qzo" >"$bin/qzo.new"
    cat "$bin/qzo.new" >"$bin/qzo"
    rm "$bin/qzo.new"
  fi
  echo "Installed qzo in $bin. It runs this clone: after an update of it, install again."
  add_to_path "$bin"
  ;;
link)
  set_up
  (run_here "$root/scripts/link.ts" "$@")
  add_to_path "$(dirname "$DENO")" # which the folder's scripts are run by
  ;;
test)
  set_up
  want_adapter
  sh scripts/test_tools.sh
  exec "$DENO" run -A scripts/ok.ts "$@"
  ;;
help | --help | -h) usage ;;
*)
  usage >&2
  echo "Unknown command \"$command\"." >&2
  exit 2
  ;;
esac
