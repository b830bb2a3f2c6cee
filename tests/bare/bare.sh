#!/bin/sh
# Proves `make run` in a bare Debian: only python3, make and the certificates, an ordinary user, no python3-venv, no Node,
# no compiler. First with the network (under 5 minutes), then without (ready in under 5 s), then that `make test` names
# the packages it lacks. Needs root and debootstrap on this machine; takes about 3 minutes; leaves nothing behind.
#
#   make bare                       BARE_KEEP=1 keeps the chroot, BARE_DIR=… says where it stands
#
# The package mirrors and certificates of this machine are read when it runs and given to the chroot.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=${BARE_DIR:-${TMPDIR:-/tmp}/tongping-bare}
root=$dir/root
[ "$(id -u)" = 0 ] || { echo "bare: needs root (it makes a chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare: apt-get install debootstrap" >&2; exit 1; }

unmount() {
    for at in dev/shm proc; do
        if mountpoint -q "$root/$at"; then umount "$root/$at"; fi
    done
}
leave() {
    unmount
    [ -n "${BARE_KEEP:-}" ] || rm -rf "$dir"
}
trap leave EXIT
trap 'exit 1' INT TERM
unmount
rm -rf "$dir"
mkdir -p "$dir"

mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ')
echo "== bare Debian"
debootstrap --variant=minbase --include=ca-certificates,make,python3 bookworm "$root" \
    "${mirror:-http://deb.debian.org/debian}" >"$dir/debootstrap.log" 2>&1 || { tail -n 20 "$dir/debootstrap.log" >&2; exit 1; }
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o mode=1777,size=256m tmpfs "$root/dev/shm"

# What this machine says about indexes and proxies, without its folders of local files.
{
    echo "[global]"
    echo "cert = /etc/ssl/certs/ca-certificates.crt"
    python3 -m pip config list 2>/dev/null | sed -nE "s/^(global|:env:)\.(index-url|proxy)='(https?:.*)'$/\2 = \3/p" | sort -u
} >"$root/etc/pip.conf"
chroot "$root" useradd --create-home --shell /bin/sh teller
home=$root/home/teller
{
    echo "cafile=/etc/ssl/certs/ca-certificates.crt"
    if command -v npm >/dev/null; then echo "registry=$(npm config get registry 2>/dev/null)"; fi
} >"$home/.npmrc"
git clone -q --no-hardlinks "$here" "$home/tongping"
chroot "$root" chown -R teller:teller /home/teller

as_teller() {
    chroot --userspec=teller:teller "$root" /usr/bin/env -i HOME=/home/teller USER=teller LANG=C.UTF-8 \
        PATH=/usr/local/bin:/usr/bin:/bin PIP_NO_CACHE_DIR=1 \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
        sh -c "cd /home/teller/tongping && $1"
}

for absent in pip3 node npm cc git; do
    if as_teller "command -v $absent" >/dev/null; then echo "bare: $absent is there: not bare" >&2; exit 1; fi
done

echo "== first run, with the network"
as_teller "python3 tests/bare/probe.py 300"

echo "== only the headless opencv is imported"
as_teller ".venv/bin/python -c 'import cv2; assert not cv2.__file__.startswith(\"/usr\"); print(\"cv2\", cv2.__version__)'"
if as_teller "find .venv -iname 'opencv_python-*' -o -iname 'opencv_contrib*' | grep ."; then
    echo "bare: an opencv that needs libGL was installed" >&2
    exit 1
fi

echo "== the model pack of face checks"
as_teller ".venv/bin/tongping models verify base"

echo "== later run, without a network"
export root
# shellcheck disable=SC2016
unshare --net sh -c 'ip link set lo up && exec chroot --userspec=teller:teller "$root" /usr/bin/env -i HOME=/home/teller \
    LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin sh -c "cd /home/teller/tongping && python3 tests/bare/probe.py 5"'

echo "== make test as an ordinary user names what is missing"
if as_teller "make test" >"$dir/test.log" 2>&1; then echo "bare: make test passed without a browser?" >&2; exit 1; fi
grep "apt-get install -y .*chromium" "$dir/test.log" || { tail -n 20 "$dir/test.log" >&2; exit 1; }
echo "bare: all good"
