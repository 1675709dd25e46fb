# The checks of the machine `cpuless`: nodes 0 and 1 have all, node 2 only a processor, node 3 only memory.
# shellcheck shell=sh

run spread /numa/local 300000 2
run exhaust /numa/exhaust
run onnode /numa/onnode
run counters /numa/counters
run outside /numa/outside
run ends /numa/ends
run default /numa/where default home
conf numa:interleave /numa/where conf/interleave even all
conf numa:interleave /numa/where conf/interleave-small small all
conf numa:bind=3 /numa/where conf/bind=3 only 3
conf numa:prefer=3 /numa/where conf/prefer=3 only 3
# Node 2 has no memory to bind to.
conf_warned numa:bind=2
