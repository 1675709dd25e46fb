# The checks of the machine `four`: four nodes, each with a processor and memory, no two distances the same.
# shellcheck shell=sh

run spread /numa/local 1000000 1
run exhaust /numa/exhaust
run onnode /numa/onnode
run counters /numa/counters
run outside /numa/outside
run ends /numa/ends
run default /numa/where default home

run membind numactl --membind=2 /numa/where policies/membind only 2
run preferred numactl --preferred=3 /numa/where policies/preferred only 3
run localalloc numactl --localalloc /numa/where policies/localalloc home
run interleave numactl --interleave=all /numa/where policies/interleave even all
run interleave numactl --interleave=all /numa/where policies/interleave-small rough all
in_cpuset 1,3 /numa/where policies/cpuset only 1,3
in_cpuset 1,3 /numa/where policies/cpuset-home home
in_cpuset 1,3 env SLUBMALLOC_CONF=numa:interleave /numa/where policies/cpuset-interleave even 1,3

conf numa:local /numa/where conf/local home
conf numa:interleave /numa/where conf/interleave even all
conf numa:interleave /numa/where conf/interleave-small small all
# Without weights, which came with Linux 6.9, all nodes weigh the same.
if [ ! -d /sys/kernel/mm/mempolicy/weighted_interleave ]; then
    conf numa:weighted /numa/where conf/weighted even all
fi
conf numa:bind=2 /numa/where conf/bind=2 only 2
conf numa:bind=1-3 /numa/where conf/bind=1-3 only 1-3
conf numa:bind=1,3 /numa/where conf/bind=1,3 only 1,3
conf numa:prefer=2 /numa/where conf/prefer only 2
conf numa:off /numa/where conf/off unbound
conf_warned numa:bind=9
conf_warned numa:bind=
conf_warned numa:frob
# A policy that somebody set for the process stands, whatever the configuration says of nodes.
run off-membind env SLUBMALLOC_CONF=numa:off numactl --membind=2 /numa/where conf/off-membind only 2
