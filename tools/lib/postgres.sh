# Postgres: superuser cqrs, no password, on a socket and on 127.0.0.1.
# To be sourced by tools/services.
#
# shellcheck shell=bash disable=SC2154

postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

postgres_port() {
    echo "$CQRS_PG_PORT"
}

postgres_ports() {
    echo "$CQRS_PG_PORT"
}

# The path of a unix socket has at most 107 bytes, of which ours takes 18.

postgres_env() {
    local socket=$data/postgres

    if [ ${#socket} -gt 85 ]; then
        socket=${CQRS_PG_SOCKET-}
        if [ ! -d "$socket" ]; then
            socket=$(mktemp -d /tmp/ngx_cqrs-XXXXXX)
            [ -z "$account" ] || chown "$account:" "$socket"
            chmod 755 "$socket"
        fi
    fi

    CQRS_PG_SOCKET=$socket
    echo "export CQRS_PG_HOST=127.0.0.1"
    echo "export CQRS_PG_SOCKET='$socket'"
    echo "export CQRS_PG_USER=cqrs"
}

postgres_log() {
    cat "$data/postgres/log"
}

postgres_pid() {
    local pid

    pid=$(head -n 1 "$data/postgres/data/postmaster.pid" 2>/dev/null) \
        && process_is "$pid" "$data/postgres/data" && echo "$pid"
}

postgres_start() {
    local home=$data/postgres nosync=

    [ -x "$postgres_bin/initdb" ] || fail "Postgres is not installed"
    cd / || return 1
    if [ ! -f "$home/data/PG_VERSION" ]; then
        as_account mkdir -p "$home" && chmod 755 "$home"
        [ -z "$volatile" ] || nosync=--no-sync
        as_account "$postgres_bin/initdb" -D "$home/data" -U cqrs -A trust \
            -E UTF8 --locale=C.UTF-8 $nosync || return 1
    fi

    postgres_forget_zombie
    postgres_conf | as_account tee "$home/data/postgresql.auto.conf" >/dev/null
    as_account "$postgres_bin/pg_ctl" -D "$home/data" -l "$home/log" \
        -t 60 -w start
}

# A killed server that nobody has waited for yet, which in a container may take
# long, still has its process id: Postgres would take it for alive and refuse.

postgres_forget_zombie() {
    local pid file=$data/postgres/data/postmaster.pid

    if pid=$(head -n 1 "$file" 2>/dev/null) && gone "$pid"; then
        rm -f "$file" "$CQRS_PG_SOCKET/.s.PGSQL.$CQRS_PG_PORT"*
    fi
}

postgres_conf() {
    echo "listen_addresses = '127.0.0.1'"
    echo "port = $CQRS_PG_PORT"
    echo "unix_socket_directories = '$CQRS_PG_SOCKET'"
    echo "max_connections = 200"
    echo "timezone = 'UTC'"
    echo "log_line_prefix = '%m [%p] %u@%d '"
    if [ -n "$volatile" ]; then
        echo "fsync = off"
        echo "full_page_writes = off"
    fi
}

postgres_stop() {
    postgres_pid >/dev/null || return 0
    postgres_resume
    as_account "$postgres_bin/pg_ctl" -D "$data/postgres/data" -m fast \
        -t 60 -w stop && postgres_after
}

# A socket folder outside of DIR is made anew at the next start.

postgres_after() {
    case $CQRS_PG_SOCKET in
        /tmp/ngx_cqrs-*)  rm -rf -- "$CQRS_PG_SOCKET" ;;
    esac
}

postgres_kill() {
    local pid

    pid=$(postgres_pid) && kill_tree "$pid"
}

postgres_pause() {
    local pid

    pid=$(postgres_pid) && signal_tree STOP "$pid"
}

postgres_resume() {
    local pid

    pid=$(postgres_pid) && signal_tree CONT "$pid"
}
