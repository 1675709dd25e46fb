# The checks of the machine `limits`: groups of version 2 that may use 64 MiB.
# shellcheck shell=sh disable=SC1091,SC2016
. /numa/endless.sh

groups=/sys/fs/cgroup
echo +memory >$groups/cgroup.subtree_control
mkdir $groups/max $groups/high $groups/outer
for group in max high outer; do echo ${MIB}M >$groups/$group/memory.max; done
# The kernel slows down a group above this.
echo 60M >$groups/high/memory.high
echo +memory >$groups/outer/cgroup.subtree_control
mkdir $groups/outer/inner

killed libc $groups/max
killed libc-nested $groups/outer/inner
killed off $groups/max "LD_PRELOAD=$LIBRARY" SLUBMALLOC_CONF=limit:off

endless max $groups/max 100 10240 1048576 10485760
endless high $groups/high 100 10240 1048576 10485760
endless nested $groups/outer/inner 100 1048576

# As in a container without a namespace of its own for groups: of the hierarchy it sees its own part.
run part unshare -m sh -c 'echo 0 >"$0/cgroup.procs" && mount --bind "$0" /sys/fs/cgroup && exec "$@"' \
    $groups/max /numa/endless part $MIB 10240

# A limit of one's own needs no group.
for bytes in 100 10240 1048576 10485760; do
    conf limit:${MIB}m /numa/endless "conf/limit/$bytes" $MIB "$bytes"
done
