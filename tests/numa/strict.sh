# The checks of the machine `strict`: what is promised is charged, and refused where it is more than there is.
# shellcheck shell=sh

# charged VARIABLE=VALUE: how many KiB a program that uses blocks of all sizes is charged.
charged() { env "$1" /numa/committed | head -n 1; }

for mode in 0 2; do
    echo $mode >/proc/sys/vm/overcommit_memory
    libcs=$(charged SLUBTEST_ALLOW_LIBC=1)
    ours=$(charged "LD_PRELOAD=$LIBRARY")
    if [ "${ours:-0}" -gt 0 ] && [ "$ours" -le $((${libcs:-0} + 65536)) ]; then
        note "ok strict/$mode: $ours KiB, $libcs under libc"
    else
        note "FAILED strict/$mode: $ours KiB, $libcs under libc"
    fi
done
