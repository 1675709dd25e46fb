# What the machines with limits share. MIB is the limit of all groups.
# shellcheck shell=sh disable=SC2016
MIB=64
JOIN='echo 0 >"$0/cgroup.procs" && exec "$@"'

# endless NAME GROUP BYTES…: for each size a program in the group, given by its directory, that asks for ever.
endless() {
    title=$1 directory=$2
    shift 2
    for bytes in "$@"; do
        run "$title/$bytes" sh -c "$JOIN" "$directory" /numa/endless "$title/$bytes" $MIB "$bytes"
    done
}

# killed NAME GROUP [VARIABLE=VALUE…]: the same program is killed in that group with this environment. Unless it is, the
# group has no limit and the other checks say nothing.
killed() {
    title=$1 directory=$2 status=0
    shift 2
    timeout $PATIENCE sh -c "$JOIN" "$directory" env "$@" /numa/endless "$title" $MIB 10240 >/tmp/output 2>&1 </dev/null ||
        status=$?
    if [ $status = 137 ]; then
        note "ok $title/killed: which shows that the group has a limit"
    else
        note "FAILED $title/killed: exit code $status: $(tail -n 3 /tmp/output | tr '\n' ' ')"
    fi
}
