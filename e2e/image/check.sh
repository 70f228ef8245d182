#!/usr/bin/env bash
# Checks what the image promises, on its own root file system: what is in it, and that the program works there as an
# ordinary user who can write nothing.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

limit=$((20 * 1024 * 1024))
container=

# run [NAME=VALUE...] -- ARGUMENT...: the program in the image, read-only, as the image's user, without any network.
run() {
  local environment=()
  while [[ $1 != -- ]]; do
    environment+=("$1")
    shift
  done
  shift
  # shellcheck disable=SC2016 # expanded by the inner shell
  env -i PATH="$PATH" "${environment[@]}" unshare --mount --net bash -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" &&
    exec chroot --userspec=65532:65532 --groups=65532 "$0" "$@"' "$root" /qlik-operator "$@" < /dev/null
}

contents() {
  local expected
  expected=$(printf '%s\n' etc/nsswitch.conf etc/ssl/certs/ca-certificates.crt licenses/LICENSE qlik-operator)
  diff <(cd "$root" && find . -mindepth 1 ! -type d -printf '%P\n' | sort) <(echo "$expected") ||
    fail "the image holds other files than these"
  local size
  size=$(find "$root" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
  ((size <= limit)) || fail "the image has $size bytes, more than $limit"
  say "holds the program, certificates, a licence and no shell: $size bytes of $limit"
  ! readelf --program-headers "$root/qlik-operator" | grep -q INTERP || fail "the program needs a loader"
  ! readelf --dynamic "$root/qlik-operator" | grep -q NEEDED || fail "the program needs shared libraries"
  say "the program is static"
}

settings() {
  local found
  found=$(buildah inspect --type image --format \
    '{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}} {{index .OCIv1.Config.Labels "org.opencontainers.image.version"}}' "$image")
  [[ $found == "65532:65532 [/qlik-operator] [run] $version" ]] || fail "the image's settings are: $found"
  say "user 65532:65532, entrypoint /qlik-operator, command run, version $version"
}

program() {
  [[ $(run -- version) == "qlik-operator $version" ]] || fail "version says: $(run -- version)"
  run -- crds | cmp - "$workspace/crds/qlik-operator.yaml" || fail "crds are not those of the repository"
  ! run -- run --help | grep -q clock-offset || fail "the clock of this program can be turned"
  say "version, crds and help work as an ordinary user with nothing to write to"
  # The client for Qlik Cloud is made first, with the system's authorities; the cluster is what is missing then.
  local with without
  with=$(run -- run 2>&1) && fail "ran without a cluster"
  without=$(run SSL_CERT_FILE=/none SSL_CERT_DIR=/none -- run 2>&1) && fail "ran without authorities"
  [[ $with == *"no cluster to work with"* ]] || fail "expected a missing cluster: $with"
  [[ $without == *"TLS"* && $without != *"no cluster"* ]] || fail "expected missing authorities: $without"
  say "it finds the certificate authorities, and says so where there are none"
}

main() {
  require buildah=buildah readelf=binutils unshare=util-linux
  container=$(buildah from --pull-never "$image")
  trap 'buildah rm "$container" > /dev/null' EXIT
  root=$(buildah mount "$container")
  contents
  settings
  program
}

main
