#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Servers over xtcp, in both address modes, with the kernel's clients on the other side: every byte is
# compared (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need python3 curl nc openssl nginx
net_up
make_files 16
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=xtcp.test \
	-keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
port=8100

# serve MODE PORT COMMAND...: a server over xtcp; returns when it answers.  Its stdin is $T/silence.
mkfifo "$T/silence"
serve() {
	local mode=$1 at=$2
	shift 2
	: >"$T/server.$at"
	(cd "$T/www" && xt_bg "$mode" "$@" <>"$T/silence" >"$T/out.$at" 2>"$T/server.$at") &
	server_pid=$!
	disown
	until_true 10 answers "$at" || { cp "$T/server.$at" "$T/err"; return 1; }
}
answers() { in_s nc -z -w 1 "$to" "$1" 2>/dev/null; }
# once MODE PORT COMMAND...: one that takes a single connection.
once() {
	local mode=$1 at=$2
	shift 2
	(cd "$T/www" && xt_bg "$mode" "$@" >"$T/out.$at" 2>"$T/server.$at") &
	server_pid=$!
}
# client COMMAND...: a program of the kernel's side, again until it is let in.
client() { until_true 10 in_s "$@" 2>"$T/err" >"$T/got"; }
got() { sha "$T/got"; }
# With -J it exits with 0 whatever happened.
by_iperf() {
	in_s timeout 20 iperf3 -4 -c "$to" -p "$port" -n 64M -J "$@" >"$T/err" 2>&1
	grep -q '"sum_received"' "$T/err"
}
up_by_nc() { in_s nc -N "$to" "$port" <"$T/www/big.bin" >"$T/got" 2>"$T/err"; }

for mode in shared own; do
	to=$C_ADDR
	[ $mode = shared ] || to=$OWN_ADDR

	# As python3 -m http.server, which asks for the host's name first and waits for DNS.
	check "$mode: http.server starts" serve $mode $((port += 1)) python3 -c "
import http.server, socketserver
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('', $port), http.server.SimpleHTTPRequestHandler).serve_forever()"
	client curl -sS -m 20 "http://$to:$port/big.bin"
	check_eq "$mode: http.server: 16 MB" "$BIG_SHA" "$(got)"

	check "$mode: asyncio starts" serve $mode $((port += 1)) python3 "$here/server.py" asyncio $port
	up_by_nc
	check_eq "$mode: asyncio: 16 MB there and back" "$BIG_SHA" "$(got)"

	once $mode $((port += 1)) nc -l $port
	until_true 10 up_by_nc
	wait $server_pid
	check_eq "$mode: nc -l: 16 MB up" "$BIG_SHA" "$(sha "$T/out.$port")"

	if command -v socat >/dev/null; then
		once $mode $((port += 1)) socat -u FILE:big.bin TCP4-LISTEN:$port,reuseaddr
		client nc -d "$to" $port
		check_eq "$mode: socat: 16 MB down" "$BIG_SHA" "$(got)"
	fi

	check "$mode: openssl s_server starts" serve $mode $((port += 1)) openssl s_server -4 -quiet \
		-accept $port -cert "$T/cert.pem" -key "$T/key.pem" -WWW
	client curl -sS -m 20 --cacert "$T/cert.pem" --resolve "xtcp.test:$port:$to" \
		"https://xtcp.test:$port/big.bin"
	check_eq "$mode: openssl s_server: 16 MB" "$BIG_SHA" "$(got)"

	mkdir -p "$T/nginx.$mode"
	port=$((port + 1))
	cat >"$T/nginx.$mode/conf" <<-END
	daemon off;
	master_process off;
	user root;
	pid $T/nginx.$mode/pid;
	error_log $T/nginx.$mode/error.log;
	events { worker_connections 256; }
	http {
		access_log off;
		default_type application/octet-stream;
		client_max_body_size 0;
		client_body_temp_path $T/nginx.$mode/body;
		proxy_temp_path $T/nginx.$mode/proxy;
		fastcgi_temp_path $T/nginx.$mode/fastcgi;
		uwsgi_temp_path $T/nginx.$mode/uwsgi;
		scgi_temp_path $T/nginx.$mode/scgi;
		server {
			listen $port;
			location / { root $T/www; }
			location /up/ { root $T; dav_methods PUT; }
		}
	}
	END
	check "$mode: nginx starts" serve $mode $port nginx -p "$T/nginx.$mode" -c "$T/nginx.$mode/conf" \
		-e "$T/nginx.$mode/error.log"
	client curl -sS -m 20 "http://$to:$port/big.bin"
	check_eq "$mode: nginx: 16 MB" "$BIG_SHA" "$(got)"
	in_s curl -sS -m 20 -T "$T/www/big.bin" "http://$to:$port/up/$mode.bin" 2>"$T/err"
	check_eq "$mode: nginx: 16 MB up" "$BIG_SHA" "$(sha "$T/up/$mode.bin")"
	if command -v ab >/dev/null; then
		in_s ab -q -n 2000 -c 50 "http://$to:$port/small.txt" >"$T/ab" 2>"$T/err"
		check_eq "$mode: ab: 2000 requests, 50 at once, none fails" "2000 0" \
			"$(awk '/^Complete requests/ { c = $3 } /^Failed requests/ { f = $3 } END { print c, f }' "$T/ab")"
		note "$mode: $(grep 'Requests per second' "$T/ab")"
	fi

	if command -v iperf3 >/dev/null; then
		for way in "" -R; do
			once $mode $((port += 1)) iperf3 -4 -s -1 -p $port
			check "$mode: iperf3: 64 MB ${way:-up}" until_true 10 by_iperf $way
			wait $server_pid
		done
	fi
done
check_eq "the kernel took no connection" 0 "$(tcp_counter PassiveOpens)"
finish
