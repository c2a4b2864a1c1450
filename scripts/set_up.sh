# Sourced by run.sh, in the repository's root. Finds or fetches Deno, a GPU adapter and the dependencies.
# What was done is stamped in .tools/, so that a second run costs a fraction of a second.

DENO_WANTED=2.9.6 # what is fetched where no recent one is there
DENO_OLDEST=2.9

say() { echo "set-up: $*"; }

# A path as it can be typed again.
as_typed() {
  case "$1" in
  *[!A-Za-z0-9_./-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
  *) printf %s "$1" ;;
  esac
}

is_recent_deno() {
  version=$("$1" --version 2>/dev/null | sed -n 's/^deno \([0-9]*\.[0-9]*\).*/\1/p') || return 1
  [ -n "$version" ] || return 1
  [ "$(printf '%s\n%s\n' "$DENO_OLDEST" "$version" | sort -t. -k1,1n -k2,2n | head -n1)" = "$DENO_OLDEST" ]
}

download() { # url file
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --retry 2 -o "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -O "$2" "$1"
  else
    return 1
  fi
}

# npm's packages of Deno hold the bare binary; npm itself checks its hash.
deno_from_npm() {
  case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) platform=linux-x64-glibc ;;
  Linux-aarch64 | Linux-arm64) platform=linux-arm64-glibc ;;
  Darwin-x86_64) platform=darwin-x64 ;;
  Darwin-arm64) platform=darwin-arm64 ;;
  *) return 1 ;;
  esac
  if command -v npm >/dev/null 2>&1 &&
    npm install --silent --no-save --no-audit --no-fund --ignore-scripts --fetch-retries=1 \
      --prefix .tools/deno "@deno/$platform@$DENO_WANTED" >/dev/null 2>&1; then
    cp ".tools/deno/node_modules/@deno/$platform/deno" .tools/bin/deno
  else
    download "https://registry.npmjs.org/@deno/$platform/-/$platform-$DENO_WANTED.tgz" .tools/deno.tgz ||
      return 1
    tar -xzf .tools/deno.tgz -C .tools package/deno || return 1
    mv .tools/package/deno .tools/bin/deno
  fi
  rm -rf .tools/deno .tools/deno.tgz .tools/package
  chmod +x .tools/bin/deno
  is_recent_deno .tools/bin/deno
}

deno_from_installer() {
  download https://deno.land/install.sh .tools/install_deno.sh &&
    DENO_INSTALL="$PWD/.tools" sh .tools/install_deno.sh -y --no-modify-path "v$DENO_WANTED" >/dev/null &&
    is_recent_deno .tools/bin/deno
}

find_deno() {
  mkdir -p .tools/bin
  for candidate in "$(command -v deno || true)" "$PWD/.tools/bin/deno" "$HOME/.deno/bin/deno"; do
    if [ -n "$candidate" ] && is_recent_deno "$candidate"; then
      DENO="$candidate"
      return
    fi
  done
  say "fetching Deno $DENO_WANTED into .tools/ ..."
  if deno_from_npm || deno_from_installer; then
    DENO="$PWD/.tools/bin/deno"
    return
  fi
  echo "No Deno $DENO_OLDEST or newer is here and none could be fetched (npm, curl or wget are needed):" \
    "install one from https://docs.deno.com/runtime/getting_started/installation/ and run this again." >&2
  exit 1
}

has_adapter() { "$DENO" run --no-config --no-lock scripts/probe_adapter.ts; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

install_driver() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root true || return 1
  say "no GPU adapter found: installing Mesa's Vulkan drivers with apt-get ..."
  as_root apt-get update -qq >/dev/null 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    mesa-vulkan-drivers libvulkan1 >/dev/null 2>&1
}

# Works without an adapter too: only a sentence is printed.
want_adapter() {
  [ -f .tools/adapter ] && return 0
  if has_adapter >.tools/adapter.part || { install_driver && has_adapter >.tools/adapter.part; }; then
    mv .tools/adapter.part .tools/adapter
    say "GPU adapter: $(cat .tools/adapter)"
    return 0
  fi
  rm -f .tools/adapter.part
  echo "No GPU adapter was found and no driver could be installed. Install the Vulkan driver of your GPU," \
    "or Mesa's software driver (Debian, Ubuntu: mesa-vulkan-drivers; Fedora: mesa-vulkan-drivers;" \
    "Arch: vulkan-swrast; Alpine: mesa-vulkan-swrast), together with the Vulkan loader (libvulkan1)." >&2
  return 0
}

need_adapter() {
  want_adapter
  [ -f .tools/adapter ] || exit 1
}

fetch_dependencies() {
  stamp="$("$DENO" --version | head -n1) $(cksum <deno.json)"
  [ "$(cat .tools/dependencies 2>/dev/null || true)" = "$stamp" ] && return
  say "fetching dependencies ..."
  "$DENO" install --quiet || {
    echo "The dependencies in deno.json could not be fetched; the message above says why." >&2
    exit 1
  }
  echo "$stamp" >.tools/dependencies
}

set_up() {
  if [ -z "${XDG_RUNTIME_DIR:-}" ]; then # the Vulkan loader complains without one
    XDG_RUNTIME_DIR="${TMPDIR:-/tmp}"
    export XDG_RUNTIME_DIR
  fi
  # Certificates of the machine count as well, as they do for curl and npm: networks with an own authority.
  DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-mozilla,system}"
  export DENO_TLS_CA_STORE
  find_deno
  caller_path=$PATH
  PATH="$(dirname "$DENO"):$PATH"
  export PATH DENO
  fetch_dependencies
}
