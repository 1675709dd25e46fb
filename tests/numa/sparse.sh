# The checks of the machine `sparse`: node numbers with a gap, 0 and 2.
# shellcheck shell=sh

run spread /numa/local 300000 2
run onnode /numa/onnode
run counters /numa/counters
run outside /numa/outside
run ends /numa/ends
run default /numa/where default home
run membind numactl --membind=2 /numa/where policies/membind only 2
run interleave numactl --interleave=all /numa/where policies/interleave even all
conf numa:interleave /numa/where conf/interleave even all
conf numa:interleave /numa/where conf/interleave-small small all
conf numa:bind=2 /numa/where conf/bind=2 only 2
conf numa:prefer=2 /numa/where conf/prefer=2 only 2
conf_warned numa:bind=1
