#!/bin/sh
# enter.sh DIRECTORY NAME CPU: from inside fresh namespaces, put the host's own folders in place and become its libvirtd.
# With /run its own, the machine's dbus, machined and libvirtd are out of sight.
set -e
directory=$1
mount --make-rprivate /
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt run:/run; do
    mkdir -p "${pair#*:}"
    mount --bind "$directory/${pair%%:*}" "${pair#*:}"
done
hostname "$2"

# libvirt starts only where the user exists that Debian's libvirt-daemon-system makes; here it runs nothing as that user.
for file in passwd group; do
    grep -q '^libvirt-qemu:' /etc/$file && continue
    case $file in passwd) rest=64055::/:/bin/false ;; *) rest= ;; esac
    { cat /etc/$file && echo "libvirt-qemu:x:64055:$rest"; } >"/etc/libvirt/$file"
    mount --bind "/etc/libvirt/$file" /etc/$file
done

# libvirt drops what it knows of QEMU when CPUID changed, which in a nested VM may differ from core to core: so it
# looks from one core each time, and is let loose once it answers.  Guests always get all cores.
exec taskset --cpu-list "$3" libvirtd --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirtd.pid
