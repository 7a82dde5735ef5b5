#!/bin/busybox sh
# The only program of the virtual machine. Started by the kernel it prepares the machine and makes the checks;
# each says `ok` or `FAILED`.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
if [ "$1" != prepared ]; then
    # The first file system can't be pivoted away from, so the machine moves to another mount of it.
    mount --bind / /mnt
    cd /mnt || exit 1
    mount --move . /
    exec chroot . /bin/busybox sh /init prepared
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
for module in /modules/*.ko; do insmod "$module" || echo "FAILED insmod $module"; done
ip link set lo up
exec 2>&1

# same NAME EXPECTED GOT
same() {
    if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAILED $1: expected [$2], got [$3]"; fi
}
# holds NAME PART WHOLE
holds() {
    case $3 in *"$2"*) echo "ok $1" ;; *) echo "FAILED $1: [$2] is not in [$3]" ;; esac
}
# Where the group of a container is, and a file of it.
group() { echo "/sys/fs/cgroup/cutaway/$1"; }
of() { cat "$(group "$1")/$2"; }

cutaway pull -q cutaway/base > /dev/null
cutaway tag cutaway/base base

# Every limit that is asked for is in the kernel's files.
id=$(cutaway run -d --name limited --network none -m 64m --memory-swap 96m --memory-reservation 32m \
    --cpus 0.5 --cpu-shares 2048 --cpuset-cpus 1 --pids-limit 50 --blkio-weight 300 \
    --device-read-bps /dev/ram0:1mb --device-write-iops /dev/ram0:100 \
    --device /dev/ram0:/dev/disk:r base sh -c 'cat /proc/self/cgroup; exec sleep 1000')
same memory 67108864 "$(of "$id" memory.max)"
same swap 33554432 "$(of "$id" memory.swap.max)"
same reservation 33554432 "$(of "$id" memory.low)"
same cpus '50000 100000' "$(of "$id" cpu.max)"
same shares 79 "$(of "$id" cpu.weight)"
same cpuset 1 "$(of "$id" cpuset.cpus)"
same pids 50 "$(of "$id" pids.max)"
same weight 'default 300' "$(of "$id" io.bfq.weight)"
same io.max '1:0 rbps=1048576 wbps=max riops=max wiops=100' "$(of "$id" io.max)"
holds member "$(cutaway inspect -f '{{.State.Pid}}' limited)" "$(of "$id" cgroup.procs)"
same view 0::/ "$(cutaway logs limited)"
same 'view of exec' 0::/ "$(cutaway exec limited cat /proc/self/cgroup)"
same 'one processor' 'Cpus_allowed_list: 1' "$(cutaway exec limited grep Cpus_allowed_list /proc/self/status | tr '\t' ' ')"

# The device program of the kernel.
same 'device is read' 512 "$(cutaway exec limited head -c 512 /dev/disk | wc -c)"
holds 'device is not written' 'not permitted' "$(cutaway exec limited sh -c 'echo x > /dev/disk' 2>&1)"
same 'null is written' 0 "$(cutaway exec limited sh -c 'echo x > /dev/null; echo $?')"

# Changes while it runs, use, and the freezer.
same update limited "$(cutaway update -m 80m --memory-swap 100m --cpus 0.7 --pids-limit 60 limited)"
same 'updated memory' 83886080 "$(of "$id" memory.max)"
same 'updated swap' 20971520 "$(of "$id" memory.swap.max)"
same 'updated cpus' '70000 100000' "$(of "$id" cpu.max)"
same 'updated pids' 60 "$(of "$id" pids.max)"
stats=$(cutaway stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' limited)
holds 'stats of memory' '/ 80MiB' "$stats"
holds 'stats of processes' ' 1' "$stats"
cutaway pause limited > /dev/null
same frozen 1 "$(of "$id" cgroup.freeze)"
same paused paused "$(cutaway inspect -f '{{.State.Status}}' limited)"
cutaway unpause limited > /dev/null
same thawed 0 "$(of "$id" cgroup.freeze)"
cutaway rm -f limited > /dev/null
same 'nothing is left of it' '' "$(find /sys/fs/cgroup/cutaway -name "$id*")"

# Memory that runs out.
cutaway run --name greedy --network none -m 16m --memory-swap 16m base sh -c 'x=$(head -c 60000000 /dev/zero | tr "\0" x)'
same 'status of the killed' 137 $?
same OOMKilled 'true 137' "$(cutaway inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' greedy)"
cutaway rm greedy > /dev/null

# Too many processes, and what leaves children behind.
many=$(cutaway run --rm --network none --pids-limit 5 base sh -c 'for i in 1 2 3 4 5 6 7; do sleep 1 & done; wait' 2>&1)
holds 'too many processes' 'temporarily unavailable' "$many"

# What only version 1 can limit is dropped, and told.
dropped=$(cutaway run --rm --network none --oom-kill-disable --memory-swappiness 10 -m 64m base echo ran 2>&1)
holds 'the killer stays' 'Your kernel does not support OomKillDisable. OomKillDisable discarded.' "$dropped"
holds 'no swappiness' 'Memory swappiness discarded.' "$dropped"
holds 'it runs all the same' ran "$dropped"

# A group elsewhere, the host's view, and a network.
id=$(cutaway run -d --name other --cgroup-parent /mine --cgroupns host base sh -c 'cat /proc/self/cgroup; exec sleep 1000')
same 'chosen parent' "0::/mine/$id" "$(cutaway logs other)"
same 'an address' 0 "$(cutaway exec other ip addr > /dev/null; echo $?)"
cutaway rm -f other > /dev/null
same 'nothing is left below the chosen parent' '' "$(find /sys/fs/cgroup/mine -name "$id*")"

# Wires that are shared: of a dummy, by hardware address and by IP address, and of the marked part of another.
cutaway network create -d macvlan --subnet 10.71.0.0/24 mac > /dev/null
cutaway network create -d ipvlan --subnet 10.72.0.0/24 --subnet 10.73.0.0/24 -o ipvlan_mode=l3 -o parent=d0.7 routed > /dev/null 2>&1
same 'no such parent' 1 $?
ip link add d0 type dummy
ip link set d0 up
cutaway network create -d ipvlan --subnet 10.72.0.0/24 --subnet 10.73.0.0/24 -o ipvlan_mode=l3 -o parent=d0.7 routed > /dev/null
same 'a marked part' 0 "$(ip link show d0.7 > /dev/null 2>&1; echo $?)"
cutaway run -d --name m1 --network mac base sleep 1000 > /dev/null
cutaway run -d --name r1 --network routed base sleep 1000 > /dev/null
same macvlan 0 "$(cutaway run --rm --network mac base ping -c 1 -W 2 10.71.0.1 > /dev/null; echo $?)"
same ipvlan 0 "$(cutaway run --rm --network routed --ip 10.73.0.9 base ping -c 1 -W 2 10.72.0.1 > /dev/null; echo $?)"
holds 'a way without a gateway' 'default dev eth0' "$(cutaway exec r1 ip route)"
same 'it leaves a wire' '' "$(cutaway network disconnect mac m1; cutaway exec m1 ip -o addr | grep eth0)"
cutaway rm -f m1 r1 > /dev/null
cutaway network rm mac routed > /dev/null
same 'no interface is left' '' "$(ip -o link | grep -E 'dm-|d0[.]7')"

same 'no group is left' '' "$(find /sys/fs/cgroup/cutaway -mindepth 1 -type d)"
echo 'all checks were made'
poweroff -f
