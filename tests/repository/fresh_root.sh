#!/usr/bin/env bash
# The repository as a stranger finds it: a bare system, a clean clone, ./run.sh and ./test.sh.
#   sudo tests/repository/fresh_root.sh bookworm|trixie|noble|resolute
# Needs root, debootstrap, git and the keyring of the distribution; takes the committed state, not
# the working tree.
#   DEBIAN_MIRROR, UBUNTU_MIRROR
#                      default: deb.debian.org, archive.ubuntu.com; the apt settings of this machine
#                      (proxy, mirror of its sources, certificates) are used inside as well
#   DEBOOTSTRAP        default: debootstrap; may bring options of its own (--no-check-gpg)
#   FULGURITE_DATA     a folder that the tests find inside; default ../shared/data, if it exists
#   FRESH_ROOT_CACHE   a folder that keeps the bare system and the downloaded packages between
#                      runs (default: none is kept)
#   FRESH_ROOT_KEEP=1  leave the root there to look at
# Prints one PASS or FAIL line a check; fails if one does.
# shellcheck disable=SC2016 # what stands in single quotes is expanded inside the root
set -euo pipefail

suite=${1:?usage: $0 bookworm|trixie|noble|resolute}
((EUID == 0)) || { echo "fresh_root.sh: needs root" >&2; exit 2; }
repository=$(cd "$(dirname "$0")/../.." && pwd)
case $suite in
  noble | resolute)
    mirror=${UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}
    security=$mirror
    components="main universe"
    script=/usr/share/debootstrap/scripts/gutsy # that of all of them, known by name or not
    ;;
  *)
    mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
    security=${DEBIAN_SECURITY_MIRROR:-${mirror%/debian}/debian-security}
    components=main
    script=
    ;;
esac
data=${FULGURITE_DATA:-$repository/../shared/data}
cache=${FRESH_ROOT_CACHE:-}
root=$(mktemp -d /var/tmp/fulgurite-fresh-XXXXXX)
failures=0

clean_up() {
  local mounted
  # A bind mount that will not go must not be deleted through.
  for mounted in proc sys dev/pts dev/shm dev data var/cache/apt/archives; do
    ! mountpoint -q "$root/$mounted" || umount -R "$root/$mounted" || umount -Rl "$root/$mounted"
  done
  if [[ ${FRESH_ROOT_KEEP:-} == 1 ]]; then
    echo "left in place: $root"
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean_up EXIT

# check NAME COMMAND...: what the command says is shown only if it fails.
check() {
  local name=$1 log
  shift
  log=$(mktemp)
  SECONDS=0
  # Not as the condition of an if: there, set -e is off.
  set +e
  (set -e && "$@") </dev/null >"$log" 2>&1
  local status=$?
  set -e
  if ((status == 0)); then
    echo "PASS  $name (${SECONDS} s)"
  else
    echo "FAIL  $name (${SECONDS} s)"
    tail -n 60 "$log"
    failures=$((failures + 1))
  fi
  rm -f "$log"
}

# Runs a script in the clone, inside the root, with an empty environment.
inside() {
  chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 "${inside_environment[@]}" bash -ec "cd /fulgurite; $1"
}
inside_environment=(FULGURITE_REQUIRE_GPU=1)
[[ ! -d $data ]] || inside_environment+=(FULGURITE_DATA=/data)

prepare() {
  if [[ -n $cache && -f $cache/$suite.tar ]]; then
    tar -C "$root" -xf "$cache/$suite.tar"
  else
    ${DEBOOTSTRAP:-debootstrap} --variant=minbase --components="${components// /,}" \
      "$suite" "$root" "$mirror" ${script:+"$script"}
    if [[ -n $cache ]]; then mkdir -p "$cache" && tar -C "$root" -cf "$cache/$suite.tar" .; fi
  fi

  # The bare system keeps its own releases; how to reach them is this machine's affair.
  local name
  name=$(mktemp "$root/etc/apt/apt.conf.d/99host-XXXXXX")
  apt-config dump | grep -E '^Acquire::(https?|Check-(Valid-Until|Date)|AllowInsecure)' >"$name" || true
  chmod 644 "$name"
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
  if [[ -d /usr/local/share/ca-certificates ]]; then
    mkdir -p "$root/usr/local/share"
    cp -RL /usr/local/share/ca-certificates "$root/usr/local/share/"
  fi
  printf '%s\n' "deb $mirror $suite $components" "deb $mirror $suite-updates $components" \
    "deb $security $suite-security $components" >"$root/etc/apt/sources.list"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service starts in here
  chmod +x "$root/usr/sbin/policy-rc.d"

  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sys "$root/sys"
  mount --rbind /dev "$root/dev"
  mount --make-rslave "$root/dev"
  if [[ -n $cache ]]; then
    mkdir -p "$cache/$suite-packages/partial"
    mount --bind "$cache/$suite-packages" "$root/var/cache/apt/archives"
    echo 'APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/99keep"
  fi

  git -c safe.directory='*' clone -q --no-hardlinks "$repository" "$root/fulgurite"
  if [[ -d $data ]]; then
    mkdir "$root/data"
    mount --bind -o ro "$data" "$root/data"
  fi
}

video_is_as_stated() {
  inside 'ffprobe -v error -select_streams v -count_frames \
      -show_entries stream=width,height,r_frame_rate,nb_read_frames:format=duration \
      -of default=noprint_wrappers=1 fulgurite-demo.mp4 | tee /tmp/probe
    grep -qx width=1280 /tmp/probe
    grep -qx height=720 /tmp/probe
    grep -qx r_frame_rate=30/1 /tmp/probe
    awk -F= "/^duration/ { exit !(\$2 >= 8) }" /tmp/probe
    awk -F= "/^nb_read_frames/ { exit !(\$2 >= 240) }" /tmp/probe'
}

consecutive_frames_differ() {
  inside 'ffmpeg -v error -i fulgurite-demo.mp4 -map 0:v -f framemd5 - | grep -v "^#" >/tmp/frames
    awk "{ if (\$NF == last) { print \"same as the frame before: \" \$0; same++ } last = \$NF }
         END { exit same > 0 || NR < 240 }" /tmp/frames'
}

still_is_as_stated() {
  inside 'test "$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 fulgurite-demo.png)" = 1280,720'
}

# Nothing is missing and nothing to build: the script itself must cost well under five seconds.
second_start_is_quick() {
  inside 'start=$(date +%s%N); ./run.sh --version; took_ms=$((($(date +%s%N) - start) / 1000000))
    echo "$took_ms ms"; test $took_ms -lt 5000'
}

nothing_left_behind() {
  git -c safe.directory='*' -C "$root/fulgurite" status --porcelain | tee "$root/tmp/status"
  test ! -s "$root/tmp/status"
}

check "a bare $suite with a clean clone" prepare
((failures == 0)) || exit 1
check "./run.sh renders the demo" inside './run.sh'
check "the video: 1280x720, 30 fps, at least 8 s" video_is_as_stated
check "the video: consecutive frames differ" consecutive_frames_differ
check "the still: 1280x720" still_is_as_stated
check "./run.sh again within five seconds" second_start_is_quick
check "./test.sh" inside './test.sh'
check "the clone is as clean as before" nothing_left_behind
((failures == 0))
