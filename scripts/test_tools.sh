#!/bin/sh
# Second adapter and independent implementations that some tests compare with: SwiftShader, node-llama-cpp,
# onnxruntime, tokenizers; the oldest Node that the npm form is for; and a Jupyter client. Only where asked (CI, or QZO_TEST_TOOLS=1); what cannot be had is said, and its tests skip.
set -u
cd "$(dirname "$0")/.."
if [ "${CI:-}" = "" ] && [ "${QZO_TEST_TOOLS:-}" = "" ]; then exit 0; fi

LLAMA=3.22.1
ONNX=1.30.0
NODE=22.23.3
TOKENIZERS=0.23.2
skip() { echo "test tools: $1 skipped, because $2"; }

# Where OpenGL alone is there, no second driver can be chosen.
loader() {
  if ldconfig -p 2>/dev/null | grep -q libvulkan.so.1; then return; fi
  root=""
  [ "$(id -u)" = 0 ] || root="sudo -n"
  if command -v apt-get >/dev/null 2>&1; then
    { $root apt-get update -qq; DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq \
      --no-install-recommends libvulkan1 mesa-vulkan-drivers; } >/dev/null 2>&1
  fi
  if ldconfig -p 2>/dev/null | grep -q libvulkan.so.1; then
    echo "test tools: the Vulkan loader and Mesa's driver are installed"
  else
    skip "the Vulkan loader" "apt-get could not install libvulkan1"
  fi
}

swiftshader() {
  if [ -f .tools/swiftshader/vk_swiftshader_icd.json ] ||
    [ -f /usr/lib/chromium/vk_swiftshader_icd.json ]; then return; fi
  if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
    skip SwiftShader "it is taken from Debian's chromium-common package, and there is no apt-get and dpkg-deb"
    return
  fi
  work=$(mktemp -d)
  # Two files of the package are all that is needed; installing it would bring a desktop.
  (cd "$work" && { apt-get download -qq chromium-common || { apt-get update -qq && apt-get download -qq chromium-common; }; }) \
    >/dev/null 2>&1
  deb=$(find "$work" -name 'chromium-common*.deb' | head -n1)
  if [ -n "$deb" ] && mkdir "$work/files" &&
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work/files" --wildcards '*swiftshader*' 2>/dev/null; then
    library=$(find "$work/files" -name 'libvk_swiftshader.so' | head -n1)
    if [ -n "$library" ]; then
      mkdir -p .tools/swiftshader
      cp "$library" .tools/swiftshader/
      cp "$(dirname "$library")/vk_swiftshader_icd.json" .tools/swiftshader/
      echo "test tools: SwiftShader is in .tools/swiftshader"
    fi
  fi
  rm -rf "$work"
  [ -f .tools/swiftshader/vk_swiftshader_icd.json ] ||
    skip SwiftShader "the package chromium-common could not be downloaded with apt-get or holds no libvk_swiftshader.so"
}

# The CPU binaries alone: no install scripts, no CUDA, no Vulkan packages.
peers() {
  [ -f ".tools/peers/$LLAMA-$ONNX" ] && return
  case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) binary=linux-x64 ;;
  Linux-aarch64) binary=linux-arm64 ;;
  Darwin-arm64) binary=mac-arm64-metal ;;
  *) skip "node-llama-cpp and onnxruntime" "there is no known binary for $(uname -sm)"; return ;;
  esac
  npm=npm
  command -v npm >/dev/null 2>&1 || npm="${DENO:-deno} run -A npm:npm@11"
  mkdir -p .tools/peers
  if $npm install --silent --no-save --no-audit --no-fund --ignore-scripts --omit=optional --force \
    --prefix .tools/peers "node-llama-cpp@$LLAMA" "@node-llama-cpp/$binary@$LLAMA" \
    "onnxruntime-web@$ONNX" "onnxruntime-node@$ONNX" >.tools/peers.log 2>&1; then
    touch ".tools/peers/$LLAMA-$ONNX"
    echo "test tools: node-llama-cpp $LLAMA and onnxruntime $ONNX are in .tools/peers"
  else
    skip "node-llama-cpp and onnxruntime" "npm could not install them: $(tail -n1 .tools/peers.log)"
  fi
}

# The tokenizers library in Rust, which carries its binaries.
tokenizers() {
  [ -f ".tools/peers/tokenizers-$TOKENIZERS" ] && return
  if ! command -v npm >/dev/null 2>&1; then skip "tokenizers $TOKENIZERS" "npm is not installed"; return; fi
  # In a folder of its own, for npm takes away what another command did not name; peers() may have made it.
  if npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix .tools/tokenizers \
    "tokenizers@$TOKENIZERS" >.tools/tokenizers.log 2>&1; then
    mkdir -p .tools/peers/node_modules
    rm -rf .tools/peers/node_modules/tokenizers
    mv .tools/tokenizers/node_modules/tokenizers .tools/peers/node_modules/tokenizers
    rm -rf .tools/tokenizers
    touch ".tools/peers/tokenizers-$TOKENIZERS"
    echo "test tools: tokenizers $TOKENIZERS is in .tools/peers"
  else
    skip "tokenizers $TOKENIZERS" "npm could not install it: $(tail -n1 .tools/tokenizers.log)"
  fi
}

node() {
  [ -x .tools/node/node_modules/.bin/node ] && return
  if ! command -v npm >/dev/null 2>&1; then skip "Node $NODE" "npm is not installed"; return; fi
  # Its install script puts the binary of this platform where the package says it is.
  if npm install --silent --no-save --no-audit --no-fund --prefix .tools/node "node@$NODE" >.tools/node.log 2>&1; then
    echo "test tools: Node $NODE is in .tools/node"
  else
    skip "Node $NODE" "npm could not install it: $(tail -n1 .tools/node.log)"
  fi
}

# A Jupyter client without a notebook server; of Python, Debian's own sees it.
jupyter() {
  for python in /usr/bin/python3 python3; do
    "$python" -c "import nbclient, nbformat" >/dev/null 2>&1 && return
  done
  if ! command -v apt-get >/dev/null 2>&1; then
    skip "the Jupyter client" "it is Debian's package python3-nbclient, and there is no apt-get"
    return
  fi
  root=""
  [ "$(id -u)" = 0 ] || root="sudo -n"
  { $root apt-get update -qq; DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq \
    --no-install-recommends python3-nbclient python3-nbformat; } >/dev/null 2>&1
  if /usr/bin/python3 -c "import nbclient, nbformat" >/dev/null 2>&1; then
    echo "test tools: the Jupyter client is installed"
  else
    skip "the Jupyter client" "apt-get could not install python3-nbclient"
  fi
}

mkdir -p .tools
loader
swiftshader
peers
tokenizers
node
jupyter
exit 0
