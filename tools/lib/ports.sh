# Six ports in a row on 127.0.0.1.  To be sourced.
#
# They lie below the range that Linux gives to outgoing connections, so that
# none of these takes one between two starts.
#
# shellcheck shell=bash disable=SC2034

# $1: the port base asked for, or nothing.

ports_choose() {
    if [ -n "$1" ]; then
        [[ $1 =~ ^[0-9]{4,5}$ && $1 -ge 1024 && $1 -le 65000 ]] \
            || fail "--port-base must be a number from 1024 to 65000, not $1"
        CQRS_PORT_BASE=$1

    elif [ -z "${CQRS_PORT_BASE-}" ]; then
        CQRS_PORT_BASE=$(ports_find) || fail "there are no six free ports"
    fi

    CQRS_PG_PORT=$CQRS_PORT_BASE
    CQRS_AMQP_PORT=$((CQRS_PORT_BASE + 1))
    CQRS_AMQP_MANAGEMENT_PORT=$((CQRS_PORT_BASE + 2))
    CQRS_AMQP_DIST_PORT=$((CQRS_PORT_BASE + 3))
    CQRS_EPMD_PORT=$((CQRS_PORT_BASE + 4))
    CQRS_REDIS_PORT=$((CQRS_PORT_BASE + 5))
}

ports_env() {
    local name

    for name in CQRS_PORT_BASE CQRS_PG_PORT CQRS_AMQP_PORT \
                CQRS_AMQP_MANAGEMENT_PORT CQRS_AMQP_DIST_PORT CQRS_EPMD_PORT \
                CQRS_REDIS_PORT
    do
        echo "export $name=${!name}"
    done
}

# $1: the names of the servers to be started.

ports_check_free() {
    local name port taken

    for name in $1; do
        for port in $("${name}_ports"); do
            taken=$(ports_taken "$port") || continue
            fail "port $taken of $name is taken by another program; choose" \
                 "others with --port-base, or CQRS_PORT_BASE for make run" \
                 "(now $CQRS_PORT_BASE)"
        done
    done
}

# Prints the port and succeeds if somebody listens on it.

ports_taken() {
    perl -MIO::Socket::INET -e '
        exit 1 if IO::Socket::INET->new(LocalAddr => "127.0.0.1",
            LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1);
        print $ARGV[0]' "$1"
}

ports_find() {
    perl -MIO::Socket::INET -e '
        TRY: for (1 .. 1000) {
            my $base = 20000 + 6 * int rand 2000;
            for my $port ($base .. $base + 5) {
                IO::Socket::INET->new(LocalAddr => "127.0.0.1",
                    LocalPort => $port, Listen => 1, ReuseAddr => 1)
                    or next TRY;
            }
            print $base;
            exit 0;
        }
        exit 1'
}
