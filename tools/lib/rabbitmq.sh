# RabbitMQ with its management plugin: user guest, password guest.
# To be sourced by tools/services.
#
# The node has its own epmd, cookie and home, so that it never meets another
# node of this machine.  (RabbitMQ turns Erlang's busy waiting off by itself, so
# an idle broker costs little.)
#
# shellcheck shell=bash disable=SC2154

rabbitmq_loopback="-kernel inet_dist_use_interface {127,0,0,1}"

rabbitmq_port() {
    echo "$CQRS_AMQP_PORT"
}

rabbitmq_ports() {
    echo "$CQRS_AMQP_PORT"
    echo "$CQRS_AMQP_MANAGEMENT_PORT"
    echo "$CQRS_AMQP_DIST_PORT"
}

rabbitmq_env() {
    echo "export CQRS_AMQP_HOST=127.0.0.1"
    echo "export CQRS_AMQP_URL=amqp://guest:guest@127.0.0.1:$CQRS_AMQP_PORT"
}

rabbitmq_log() {
    cat "$data/rabbitmq/out"
}

rabbitmq_pid() {
    local pid

    pid=$(cat "$data/rabbitmq/pid" 2>/dev/null) \
        && process_is "$pid" "-epmd_port $CQRS_EPMD_PORT " \
        && echo "$pid"
}

# Runs a program in the node's environment, and in the place of a subshell.

rabbitmq_run() (
    home=$data/rabbitmq

    cd "$home" || exit 1
    exec "${become[@]}" env -i PATH="/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 \
        HOME="$home" \
        RABBITMQ_NODENAME=cqrs@localhost \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        RABBITMQ_NODE_PORT="$CQRS_AMQP_PORT" \
        RABBITMQ_DIST_PORT="$CQRS_AMQP_DIST_PORT" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$rabbitmq_loopback" \
        ERL_EPMD_PORT="$CQRS_EPMD_PORT" \
        ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_MNESIA_BASE="$home/mnesia" \
        RABBITMQ_LOG_BASE="$home/log" \
        RABBITMQ_PID_FILE="$home/pid" \
        RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" \
        RABBITMQ_ADVANCED_CONFIG_FILE="$home/advanced.config" \
        RABBITMQ_CONF_ENV_FILE="$home/rabbitmq-env.conf" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" \
        "$@"
)

rabbitmq_start() {
    local home=$data/rabbitmq

    as_account mkdir -p "$home" || return 1
    rabbitmq_conf | as_account tee "$home/rabbitmq.conf" >/dev/null
    rabbitmq_advanced | as_account tee "$home/advanced.config" >/dev/null
    echo "[rabbitmq_management]." \
        | as_account tee "$home/enabled_plugins" >/dev/null
    as_account touch "$home/rabbitmq-env.conf"
    rm -f "$home/out" "$home/pid"

    rabbitmq_run setsid /usr/lib/rabbitmq/bin/rabbitmq-server \
        >"$home/out" 2>&1 </dev/null &
    wait_until 120 rabbitmq_booted_or_died $! \
        && grep -q "completed with" "$home/out"
}

rabbitmq_booted_or_died() {
    grep -q "completed with" "$data/rabbitmq/out" || gone "$1"
}

# The statistics of the management plugin are what tests read.

rabbitmq_conf() {
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $CQRS_AMQP_MANAGEMENT_PORT"
    echo "loopback_users.guest = true"
    echo "log.console.level = warning"
    [ -z "$volatile" ] || echo "collect_statistics_interval = 250"
}

rabbitmq_advanced() {
    if [ -n "$volatile" ]; then
        echo "[{rabbit, [{quorum_tick_interval, 250}]}]."
    else
        echo "[]."
    fi
}

rabbitmq_stop() {
    local pid

    if pid=$(rabbitmq_pid); then
        rabbitmq_resume
        rabbitmq_run /usr/lib/rabbitmq/bin/rabbitmqctl stop \
            "$data/rabbitmq/pid" || return 1
        wait_until 60 gone "$pid" || return 1
    fi
    rabbitmq_after
}

# The port mapper outlives its node, and refuses to leave before it has noticed
# that the node has gone.

rabbitmq_after() {
    wait_until 10 rabbitmq_end_epmd
}

rabbitmq_end_epmd() {
    rabbitmq_run epmd -kill >/dev/null 2>&1
    ! rabbitmq_run epmd -names >/dev/null 2>&1
}

rabbitmq_kill() {
    local pid

    pid=$(rabbitmq_pid) && kill_tree "$pid"
}

rabbitmq_pause() {
    local pid

    pid=$(rabbitmq_pid) && signal_tree STOP "$pid"
}

rabbitmq_alarm() {
    rabbitmq_run /usr/lib/rabbitmq/bin/rabbitmqctl -q \
        set_vm_memory_high_watermark 0
}

rabbitmq_calm() {
    rabbitmq_run /usr/lib/rabbitmq/bin/rabbitmqctl -q \
        set_vm_memory_high_watermark 0.4
}

rabbitmq_tls() {
    rabbitmq_run /usr/lib/rabbitmq/bin/rabbitmqctl -q eval "
        {ok, _} = application:ensure_all_started(ssl),
        rabbit_networking:start_ssl_listener({\"127.0.0.1\", $CQRS_TLS_PORT},
            [{certfile, \"$CQRS_TLS_CERTIFICATE\"},
             {keyfile, \"$CQRS_TLS_KEY\"}${CQRS_TLS_OPTIONS:+, $CQRS_TLS_OPTIONS}], 2)."
}

rabbitmq_resume() {
    local pid

    pid=$(rabbitmq_pid) && signal_tree CONT "$pid"
}
