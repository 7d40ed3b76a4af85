# Which account the servers run as, and where it may write.  To be sourced.
#
# Postgres refuses to run as root, and no server should.  Root's servers
# therefore run as nobody; anybody else's run as that user.  All their files are
# below $data, which is DIR/data; where nobody cannot reach that (a project
# below /root), DIR/data is a link to a folder below /var/tmp.
#
# shellcheck shell=bash disable=SC2034

account=''
become=()
if [ "$(id -u)" = 0 ]; then
    account=nobody
    become=(setpriv "--reuid=$account" "--regid=$(id -g $account)"
            --clear-groups --)
fi

# Runs a command as the servers' account.

as_account() {
    "${become[@]}" "$@"
}

account_find_data() {
    data=$1/data
    if [ -L "$data" ]; then
        data=$(readlink "$data")
    fi
    logs=$data/logs
}

account_make_dir() {
    local far

    if [ -e "$1/data" ]; then
        account_find_data "$1"
        as_account test -w "$data" \
            || fail "$data is not writable for ${account:-you}; was it made by" \
                    "another user? 'tools/services remove $1' deletes it"
        return
    fi

    if as_account test -x "$1"; then
        mkdir "$1/data"
    else
        far=$(mktemp -d /var/tmp/ngx_cqrs-XXXXXX) || exit 1
        ln -s "$far" "$1/data"
        say "$account cannot reach $1, so the data is in $far"
    fi

    account_find_data "$1"
    mkdir "$data/logs"
    [ -z "$account" ] || chown "$account:" "$data"
    chmod 711 "$data"
}

account_remove_dir() {
    if [ -L "$1/data" ]; then
        case $data in
            /var/tmp/ngx_cqrs-*)  rm -rf -- "$data" ;;
        esac
    fi
    rm -rf -- "$1"
}
