#!/usr/bin/env bash
# The image of every pod's first container, from upstream's source in the module of e2e/kubernetes.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

main() {
  require buildah=buildah gcc=gcc go=golang
  local source context=$work/pause
  source=$(cd "$workspace/e2e/kubernetes" && go list -m -f '{{.Dir}}' k8s.io/kubernetes)/build/pause/linux/pause.c
  [[ ! $work/pause.tar -nt $source ]] || return 0
  rm -rf "$context" "$work/pause.tar"
  mkdir -p "$context"
  gcc -Os -Wall -static -s -DVERSION=local -o "$context/pause" "$source"
  printf 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n' > "$context/Dockerfile"
  buildah bud --isolation chroot --quiet --tag localhost/pause:local "$context" > /dev/null
  buildah push --quiet localhost/pause:local "oci-archive:$work/pause.tar:localhost/pause:local"
}

main
