# shellcheck shell=bash
# What the scripts of this directory share; sourced by them.

workspace=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=${CARGO_TARGET_DIR:-$workspace/target}/image
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$workspace/Cargo.toml" | head -n 1)
rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$workspace/rust-toolchain.toml")
builder=localhost/qlik-operator-builder:rust-$rust
image=localhost/qlik-operator:$version

fail() {
  echo "$*" >&2
  exit 1
}

say() {
  echo "image: $*"
}

# Images in a storage of our own: nothing of this machine's is seen or changed.
buildah() {
  command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

# Ends with the command that mends it where something is missing. PROGRAM=PACKAGE...
require() {
  local pair missing=()
  [[ $(uname -s) == Linux ]] || fail "images are built on Linux"
  [[ $(id -u) == 0 ]] || fail "buildah's chroot isolation needs root here: run this target as root"
  for pair in "$@"; do
    command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
  done
  ((${#missing[@]} == 0)) || fail "missing: install with 'apt-get install --no-install-recommends ${missing[*]}'"
}
