# Redis, with a thousand logical databases.  To be sourced by tools/services.
#
# shellcheck shell=bash disable=SC2154

redis_port() {
    echo "$CQRS_REDIS_PORT"
}

redis_ports() {
    echo "$CQRS_REDIS_PORT"
}

redis_env() {
    echo "export CQRS_REDIS_HOST=127.0.0.1"
}

redis_log() {
    cat "$data/redis/log"
}

redis_pid() {
    local pid

    pid=$(cat "$data/redis/pid" 2>/dev/null) \
        && process_is "$pid" ":$CQRS_REDIS_PORT" && echo "$pid"
}

redis_start() {
    local home=$data/redis keep=yes

    as_account mkdir -p "$home" || return 1
    [ -z "$volatile" ] || keep=no
    cd "$home" || return 1
    as_account redis-server --port "$CQRS_REDIS_PORT" --bind 127.0.0.1 \
        --dir "$home" --daemonize yes --pidfile "$home/pid" \
        --logfile "$home/log" --databases 1000 --save '' \
        --appendonly $keep || return 1
    wait_until 30 redis_answers
}

redis_answers() {
    redis-cli -p "$CQRS_REDIS_PORT" ping 2>&1 | grep -q PONG
}

redis_stop() {
    local pid

    pid=$(redis_pid) || return 0
    redis_resume
    kill -TERM "$pid"
    wait_until 30 gone "$pid"
}

redis_after() {
    :
}

redis_kill() {
    local pid

    pid=$(redis_pid) && kill_tree "$pid"
}

redis_pause() {
    local pid

    pid=$(redis_pid) && signal_tree STOP "$pid"
}

redis_resume() {
    local pid

    pid=$(redis_pid) && signal_tree CONT "$pid"
}
