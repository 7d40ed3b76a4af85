# What the tools say, and small things that several of them need.
# To be sourced.
#
# shellcheck shell=bash

say() {
    printf '%s\n' "$*"
}

complain() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

fail() {
    complain "$*"
    exit 1
}

# Waits until a command succeeds.  $1: seconds, then the command.

wait_until() {
    local end=$((SECONDS + $1))
    shift

    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# A process that nobody has waited for yet is gone as well.

gone() {
    ! kill -0 "$1" 2>/dev/null || grep -qs '^State:.Z' "/proc/$1/status"
}

# The processes that came of this one, itself first.

process_tree() {
    local child

    echo "$1"
    for child in $(pgrep -P "$1"); do
        process_tree "$child"
    done
}

# Sends a signal to a process and all that came of it.

signal_tree() {
    local pids

    pids=$(process_tree "$2")
    # shellcheck disable=SC2086
    kill "-$1" $pids 2>/dev/null
    return 0
}

# Kills a process and all that came of it, and waits until they are gone.

kill_tree() {
    local pid pids

    pids=$(process_tree "$1")
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null
    for pid in $pids; do
        wait_until 10 gone "$pid" || return 1
    done
}

# True if a process runs and its command line holds a text.  A number in a file
# may have become somebody else's process since it was written.

process_is() {
    [ -r "/proc/$1/cmdline" ] \
        && tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"
}
