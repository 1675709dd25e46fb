# The checks of the machine `limits_v1`: version 1 counts memory, version 2 is mounted beside it.
# shellcheck shell=sh disable=SC1091
. /numa/endless.sh

umount /sys/fs/cgroup
mount -t tmpfs groups /sys/fs/cgroup
groups=/sys/fs/cgroup/memory
mkdir $groups /sys/fs/cgroup/unified
mount -t cgroup -o memory memory $groups
mount -t cgroup2 unified /sys/fs/cgroup/unified
mkdir -p $groups/max $groups/outer/inner
for group in max outer; do echo ${MIB}M >$groups/$group/memory.limit_in_bytes; done

killed libc $groups/max
killed libc-nested $groups/outer/inner

endless max $groups/max 100 10240 1048576 10485760
endless nested $groups/outer/inner 100 1048576
