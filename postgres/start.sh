#!/bin/sh
# Makes the database cluster at the first start, then runs the server in this process.
set -eu
programs=$(echo /usr/lib/postgresql/*/bin)
if [ ! -f /data/cluster/PG_VERSION ]; then
    # Docker Swarm hands over the password in a file.
    password=$(mktemp)
    printf '%s' "${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}" >"$password"
    rm -rf /data/cluster
    "$programs/initdb" -D /data/cluster --username=gateway --pwfile="$password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    rm "$password"
    echo 'host all all all scram-sha-256' >>/data/cluster/pg_hba.conf
    echo 'CREATE DATABASE gateway' | "$programs/postgres" --single -D /data/cluster postgres
fi
exec "$programs/postgres" -D /data/cluster -c listen_addresses='*' -c unix_socket_directories=/tmp
