#!/usr/bin/env bash
# The image once more under another tag, as a later build would be: what a rollout goes to.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

next=localhost/qlik-operator:next

main() {
  require buildah=buildah
  [[ ! $work/next.tar -nt $work/image.tar ]] || return 0
  local context=$work/next
  rm -rf "$context" "$work/next.tar"
  mkdir -p "$context"
  printf 'FROM %s\nLABEL next=true\n' "$image" > "$context/Dockerfile"
  buildah bud --isolation chroot --pull-never --quiet --tag "$next" "$context" > /dev/null
  buildah push --quiet "$next" "oci-archive:$work/next.tar:$next"
}

main
