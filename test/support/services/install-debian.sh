#!/bin/sh
# Installs the Debian packages named as arguments, without starting a server: the tests start their own.
# Used by .ci/run, and by the tests themselves where they run as root.
set -u
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || exit 1

# Debian's packages start a server when they are installed, and postgresql makes a cluster for it. Neither is of use here.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf

install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >/dev/null 2>&1
}
install "$@" && exit 0
apt-get update >/dev/null 2>&1
install "$@"
