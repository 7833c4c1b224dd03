#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs as they are packaged, each pair three times: the client over xtcp, the server over xtcp, both; every
# transfer's bytes are compared (topology: lib.sh; where both are over xtcp, the client is in $S).
#
#     tests/netns/programs.sh            all of them; the table, of which doc/programs.md is a copy, goes to programs.md
#     tests/netns/programs.sh NAME...    those pairs
#
# A pair is a function pair_NAME: it starts its server by `srv`, its clients by `cli`, and reports by `transfer` what the client
# has got.  That it came over xtcp is shown by the kernel's own counters, which must not have moved.  A program that isn't
# installed is a skip with its name.
. "$(dirname "$0")/lib.sh"
need python3 nc
net_up
make_files 8
chmod 777 "$T" "$T/www"
SMALL=$(cat "$T/www/small.txt")

# ---- roles ----

ROLES="client server both"
LIMIT=40
# $A: where the server is; srv and cli run a command as the role has it.
set_role() {
	role=$1
	case $role in
	client) A=$S_ADDR SNS=$S ;;
	*) A=$C_ADDR SNS=$C ;;
	esac
	before=$(by_kernel)
}
# Connections that the kernel has opened where the client is over xtcp, and accepted where the server is.
by_kernel() {
	[ "$role" = server ] || tcp_counter ActiveOpens "$([ "$role" = client ] && echo "$C" || echo "$S")"
	[ "$role" = client ] || tcp_counter PassiveOpens "$C"
}
over_xtcp() {
	local ns=$1
	shift
	(sanitizer_env "$@" && exec ip netns exec "$ns" timeout -k 5 $LIMIT "$XTCP_RUN" "$@")
}
srv() {
	if [ "$role" = client ]; then
		in_s timeout -k 5 $LIMIT "$@"
	else
		over_xtcp "$C" "$@"
	fi >"$T/server" 2>&1 </dev/null &
	disown
}
cli() {
	case $role in
	client) over_xtcp "$C" "$@" ;;
	server) in_s timeout -k 5 $LIMIT "$@" ;;
	both) over_xtcp "$S" "$@" ;;
	esac 2>"$T/err"
}
# The server answers the kernel's side at this port.
up_at() { until_true 15 ip netns exec "$S" nc -z -w 1 "$1" "$2" 2>/dev/null; }
up() {
	up_at "$A" "$1"
	before=$(by_kernel)
}
kill_all() {
	local ns pids end=$((SECONDS + 10))
	for ns in "$C" "$S"; do
		while pids=$(ip netns pids "$ns") && [ -n "$pids" ] && [ $SECONDS -lt $end ]; do
			kill -KILL $pids 2>/dev/null
			sleep 0.05
		done
	done
}

# ---- results ----

declare -A result
declare -a rows
# transfer WHAT WANTED FOUND: one row of the table.
transfer() {
	local key="$client|$server|$1" found=$3
	[ "$(by_kernel)" = "$before" ] || found="$3, but by the kernel"
	before=$(by_kernel)
	[ -n "${result[$key]+x}" ] || { rows+=("$key"); result[$key]=; }
	if [ "$2" = "$found" ]; then
		result[$key]+="|yes"
	else
		result[$key]+="|**no**"
		[ ! -s "$T/server" ] || { echo "server:"; tail -n 5 "$T/server"; } >>"$T/err"
	fi
	check_eq "$role: $client, $server: $1" "$2" "$found"
}
version() {
	case $1 in
	curl | wget | rsync | git | php | perl) "$1" --version 2>/dev/null ;;
	socat) socat -V ;;
	nginx | haproxy | apache2) "$1" -v 2>&1 ;;
	ssh | sshd | scp) ssh -V 2>&1 ;;
	openssl) openssl version ;;
	redis*) redis-server --version ;;
	psql | postgres | pgbench) psql --version ;;
	node) node --version ;;
	java) java --version 2>/dev/null ;;
	python3) python3 --version ;;
	memcached) memcached --version ;;
	iperf3 | h2load) "$1" --version 2>&1 ;;
	vsftpd) vsftpd -v 0>&1 2>&1 ;;
	ab) ab -V ;;
	wrk) wrk -v 2>&1 ;;
	nc) echo "nc 1.$(dpkg-query -W -f='${Version}' netcat-openbsd 2>/dev/null | sed 's/^1\.//')" ;;
	esac | grep -oE '[0-9]+\.[0-9][0-9A-Za-z.]*' | head -n 1
}

# ---- servers that several pairs use ----

TLS=(-keyout "$T/key.pem" -out "$T/cert.pem")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=xtcp.test "${TLS[@]}" 2>/dev/null
cat "$T/key.pem" "$T/cert.pem" >"$T/both.pem" 2>/dev/null
chmod 644 "$T"/*.pem

# As it is packaged: a daemon, workers of another user, sendfile.
nginx_daemon() {
	rm -rf "$T/nginx" && mkdir -p "$T/nginx"
	cat >"$T/nginx/nginx.conf" <<-END
	user www-data; worker_processes 2; pid $T/nginx/pid; error_log $T/nginx/error.log;
	events { worker_connections 256; }
	http {
		access_log off; default_type application/octet-stream; client_max_body_size 0;
		client_body_temp_path $T/nginx/body; proxy_temp_path $T/nginx/proxy; fastcgi_temp_path $T/nginx/fastcgi;
		uwsgi_temp_path $T/nginx/uwsgi; scgi_temp_path $T/nginx/scgi; sendfile on; keepalive_requests 100000;
		ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem;
		server {
			listen 80; listen 443 ssl http2;
			location / { root $T/www; }
			location /up/ { root $T; dav_methods PUT; }
		}
	}
	END
	srv nginx -p "$T/nginx" -c "$T/nginx/nginx.conf" -e "$T/nginx/error.log"
	up 80
}
http_server() { srv python3 -m http.server -d "$T/www" -b 0.0.0.0 8080; up 8080; }

# ---- pairs: HTTP ----

pair_curl() {
	client=curl server=nginx
	nginx_daemon
	transfer "GET, 8 MB" "$BIG_SHA" "$(cli curl -sS "http://$A/big.bin" | sha)"
	transfer "HTTP/2 over TLS, 8 MB" "$BIG_SHA" "$(cli curl -ksS --http2 "https://$A/big.bin" | sha)"
	cli curl -sS -T "$T/www/big.bin" "http://$A/up/curl.bin"
	transfer "PUT, 8 MB" "$BIG_SHA" "$(sha "$T/up/curl.bin")"
	head -c 3000000 "$T/www/big.bin" >"$T/part"
	cli curl -sS -C - -o "$T/part" "http://$A/big.bin"
	transfer "resumed at 3 MB" "$BIG_SHA" "$(sha "$T/part")"
	rm -f "$T"/z?
	cli curl -sS -Z -o "$T/z1" "http://$A/big.bin" -o "$T/z2" "http://$A/big.bin" -o "$T/z3" "http://$A/big.bin"
	transfer "three at once" "$BIG_SHA $BIG_SHA $BIG_SHA" "$(echo $(sha "$T/z1" "$T/z2" "$T/z3"))"
	transfer "--limit-rate 4M" "$BIG_SHA" "$(cli curl -sS --limit-rate 4M "http://$A/big.bin" | sha)"
}
pair_wget() {
	client=wget server=nginx
	nginx_daemon
	transfer "GET, 8 MB" "$BIG_SHA" "$(cli wget -q -O - "http://$A/big.bin" | sha)"
	transfer "over TLS, 8 MB" "$BIG_SHA" "$(cli wget -q --no-check-certificate -O - "https://$A/big.bin" | sha)"
}
pair_ab() {
	client=ab server=nginx
	nginx_daemon
	transfer "1,000 requests, 20 at once" "1000 0 $((1000 * (${#SMALL} + 1)))" "$(cli ab -q -n 1000 -c 20 "http://$A/small.txt" |
		awk '/Complete requests/ { c = $3 } /Failed requests/ { f = $3 } /HTML transferred/ { h = $3 } END { print c, f, h }')"
}
# run_wrk OPTION...: "all right" when there were requests, and each had the page as its answer.
run_wrk() {
	cat >"$T/wrk.lua" <<-END
	function response(status, headers, body)
		if status ~= 200 or body ~= "$SMALL\\n" then print("wrong: " .. status .. " " .. body) end
	end
	END
	cli wrk -s "$T/wrk.lua" "$@" "http://$A/small.txt" >"$T/wrk.out"
	awk '/requests in/ && $1 > 0 && !r { r = "all right" } /wrong|Non-2xx/ { r = $0 } END { print r }' "$T/wrk.out"
}
pair_wrk() {
	client=wrk server=nginx
	nginx_daemon
	transfer "2 threads, 20 connections" "all right, no error" \
		"$(run_wrk -t2 -c20 -d1), $(grep 'Socket errors' "$T/wrk.out" || echo no error)"
}
# A connection that a worker ends with is an error to wrk, and opened again.
pair_wrk_reload() {
	client=wrk server="nginx, reloaded"
	nginx_daemon
	(sleep 0.5; ip netns exec "$SNS" kill -HUP "$(cat "$T/nginx/pid")") &
	transfer "under load" "all right" "$(run_wrk -t1 -c10 -d2)"
	wait $!
	transfer "afterwards, 8 MB" "$BIG_SHA" "$(cli curl -sS "http://$A/big.bin" | sha)"
}
pair_h2load() {
	client=h2load server=nginx
	nginx_daemon
	transfer "12 times 8 MB by HTTP/2, 4 connections" "12 0 ($((12 << 23)))" "$(cli h2load -n 12 -c 4 -m 3 "https://$A/big.bin" |
		awk '/^requests:/ { r = $8 " " $10 } /^traffic:/ { print r, $(NF - 1) }')"
}
pair_urllib() {
	client=python3 server="python3 -m http.server"
	http_server
	transfer "urllib" "$BIG_SHA" "$(cli python3 -c "
import sys, urllib.request
sys.stdout.buffer.write(urllib.request.urlopen('http://$A:8080/big.bin').read())" | sha)"
	transfer "8 threads" "ok" "$(cli python3 -c "
import hashlib, threading, urllib.request
got = []
def get(): got.append(hashlib.sha256(urllib.request.urlopen('http://$A:8080/big.bin').read()).hexdigest())
threads = [threading.Thread(target=get) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print('ok' if got == ['$BIG_SHA'] * 8 else got)")"
}
pair_python_tls() {
	client=python3 server=nginx
	nginx_daemon
	transfer "ssl" "$BIG_SHA" "$(cli python3 -c "
import ssl, sys, urllib.request
c = ssl._create_unverified_context()
sys.stdout.buffer.write(urllib.request.urlopen('https://$A/big.bin', context=c).read())" | sha)"
}
pair_asyncio() {
	client=python3 server="python3 asyncio"
	srv python3 "$here/server.py" asyncio 8200
	up 8200
	transfer "asyncio, 16 streams echoed" "ok" "$(cli python3 -c "
import asyncio, os
async def one():
    blob = os.urandom(300000)
    r, w = await asyncio.open_connection('$A', 8200)
    w.write(blob); w.write_eof()
    assert await r.read() == blob
    w.close()
async def main(): await asyncio.gather(*(one() for _ in range(16)))
asyncio.run(main()); print('ok')")"
	transfer "selectors" "ok" "$(cli python3 -c "
import os, selectors, socket
s = socket.socket(); s.setblocking(False); s.connect_ex(('$A', 8200))
sel = selectors.DefaultSelector(); sel.register(s, 3)
blob = os.urandom(1000000); sent = 0; got = b''
while len(got) < len(blob):
    for _, e in sel.select(10):
        if e & 2 and sent < len(blob): sent += s.send(blob[sent:sent + 50000])
        elif sent == len(blob): sel.modify(s, 1)
        if e & 1: got += s.recv(65536)
print('ok' if got == blob else 'differs')")"
}
NODE_SERVER="const fs = require('fs')
const f = (q, r) => fs.createReadStream('$T/www' + q.url).pipe(r)"
NODE_GET="const crypto = require('crypto'), get = (p) => new Promise(done => require('http').get('http://' + p, r => {
	const h = crypto.createHash('sha256'); r.on('data', d => h.update(d)); r.on('end', () => done(h.digest('hex'))) }))"
pair_node() {
	client=node server="node http"
	srv node -e "$NODE_SERVER; require('http').createServer(f).listen(8300, '0.0.0.0')"
	up 8300
	transfer "http, 8 MB" "$BIG_SHA" "$(cli node -e "$NODE_GET; get('$A:8300/big.bin').then(h => console.log(h))")"
	cat >"$T/threads.js" <<-END
	$NODE_GET
	const w = require('worker_threads')
	let n = 0
	if (!w.isMainThread)
		get('$A:8300/big.bin').then(h => w.parentPort.postMessage(h))
	for (let i = 0; w.isMainThread && i < 4; i++)
		new w.Worker(__filename).on('message', h => {
			if (h != '$BIG_SHA') console.log(h); else if (++n == 4) console.log('ok') })
	END
	transfer "http, from 4 worker threads" "ok" "$(cli node "$T/threads.js")"
}
pair_node_cluster() {
	client=node server="node cluster"
	cat >"$T/cluster.js" <<-END
	$NODE_SERVER
	const c = require('cluster')
	if (c.isPrimary) { c.fork(); c.fork() } else require('http').createServer(f).listen(8301, '0.0.0.0')
	END
	srv node "$T/cluster.js"
	up 8301
	transfer "http, 8 MB" "$BIG_SHA" "$(cli node -e "$NODE_GET; get('$A:8301/big.bin').then(h => console.log(h))")"
}
pair_node_net() {
	client=node server="node net, on ::"
	srv node -e "require('net').createServer({ allowHalfOpen: true }, s => s.pipe(s)).listen(8302)"
	up 8302
	transfer "net, echo of 1 MB" "ok" "$(cli node -e "
const b = require('crypto').randomBytes(1000000), s = require('net').connect(8302, '$A'), got = []
s.on('data', d => got.push(d)); s.on('end', () => console.log(Buffer.concat(got).equals(b) ? 'ok' : 'differs')); s.end(b)")"
}
# haproxy_conf ADDRESS: what listens there passes on to a server of the kernel's at port 8401.
haproxy_conf() {
	cat >"$T/haproxy.cfg" <<-END
	global
	  maxconn 500
	defaults
	  mode http
	  timeout client 20s
	  timeout server 20s
	  timeout connect 5s
	frontend f
	  bind $1
	  default_backend b
	backend b
	  server s $S_ADDR:8401
	END
}
pair_java() {
	client=java server=haproxy
	haproxy_conf 0.0.0.0:8400
	in_s python3 -m http.server -d "$T/www" -b 0.0.0.0 8401 >/dev/null 2>&1 &
	disown
	srv haproxy -f "$T/haproxy.cfg"
	up_at "$S_ADDR" 8401
	up 8400
	cat >"$T/Get.java" <<-END
	import java.net.URI;
	import java.net.http.*;
	public class Get {
		public static void main(String[] a) throws Exception {
			byte[] b = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(),
				HttpResponse.BodyHandlers.ofByteArray()).body();
			System.out.write(b, 0, b.length);
			System.out.flush();
		}
	}
	END
	transfer "HttpClient, 8 MB" "$BIG_SHA" "$(cli java "$T/Get.java" "http://$A:8400/big.bin" | sha)"
}
pair_perl() {
	client=perl server=apache2
	cat >"$T/apache.conf" <<-END
	ServerRoot $T
	ServerName x
	PidFile $T/apache.pid
	User www-data
	Group www-data
	Listen 0.0.0.0:8500
	LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
	LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
	DocumentRoot $T/www
	ErrorLog $T/apache.err
	StartServers 4
	END
	rm -f "$T/apache.pid"
	srv apache2 -f "$T/apache.conf" -D FOREGROUND
	up 8500
	transfer "HTTP::Tiny, 8 MB" "$BIG_SHA" "$(cli perl -MHTTP::Tiny -e "
binmode STDOUT; print HTTP::Tiny->new->get('http://$A:8500/big.bin')->{content}" | sha)"
	client=php
	transfer "file_get_contents(), 8 MB" "$BIG_SHA" "$(cli php -r "echo file_get_contents('http://$A:8500/big.bin');" | sha)"
}

# ---- pairs: streams ----

# A listening nc ends with its peer's data, whatever it still has to send.
pair_nc() {
	client=nc server=nc
	if [ "$role" = client ]; then in_s nc -l 8600; else over_xtcp "$C" nc -l 8600; fi >"$T/got" 2>"$T/server" &
	until_true 10 eval "cli nc -N $A 8600 <'$T/www/big.bin'"
	wait $!
	transfer "8 MB up" "$BIG_SHA" "$(sha "$T/got")"
	if [ "$role" = client ]; then in_s nc -l -N 8605; else over_xtcp "$C" nc -l -N 8605; fi \
		<"$T/www/big.bin" 2>"$T/server" &
	until_true 10 eval "cli nc -d $A 8605 >'$T/got'"
	transfer "8 MB down" "$BIG_SHA" "$(sha "$T/got")"
}
pair_socat() {
	client=socat server="socat EXEC"
	srv socat TCP-LISTEN:8601,reuseaddr,fork EXEC:cat
	up 8601
	transfer "echo of 8 MB by a child" "$BIG_SHA" "$(cli socat -t 10 - TCP:"$A":8601 <"$T/www/big.bin" | sha)"
}
# A launcher that binds, listens and becomes the server: LISTEN_FDS sockets from 3 on, and LISTEN_PID says who is meant.
pair_inetd() {
	client=nc server="launcher (LISTEN_FDS), children by inetd's way"
	srv python3 -c "
import os, socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('0.0.0.0', 8602)); s.listen()
if s.fileno() == 3: os.set_inheritable(3, True)
else: os.dup2(s.fileno(), 3)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execvp('python3', ['python3', '-c', '''
import os, socket, subprocess
assert os.environ[\"LISTEN_FDS\"] == \"1\" and os.environ[\"LISTEN_PID\"] == str(os.getpid())
s = socket.socket(fileno=3)
while True:
    c, _ = s.accept(); subprocess.Popen([\"cat\"], stdin=c, stdout=c); c.close()'''])"
	up 8602
	transfer "echo of 8 MB by a child" "$BIG_SHA" "$(cli nc -N "$A" 8602 <"$T/www/big.bin" | sha)"
}
pair_activate() {
	client=curl server="systemd-socket-activate, haproxy"
	haproxy_conf fd@3
	in_s python3 -m http.server -d "$T/www" -b 0.0.0.0 8401 >/dev/null 2>&1 &
	disown
	up_at "$S_ADDR" 8401
	# It starts programs without its own environment.
	srv systemd-socket-activate -l 0.0.0.0:8606 $([ "$role" = client ] || printf "%s " -E LD_PRELOAD) haproxy -f "$T/haproxy.cfg"
	up 8606
	transfer "listening socket passed, 8 MB" "$BIG_SHA" "$(cli curl -sS "http://$A:8606/big.bin" | sha)"
	kill_all
	client=ssh server="systemd-socket-activate, sshd -i"
	ssh_keys
	srv systemd-socket-activate -l 0.0.0.0:8607 -a --inetd /usr/sbin/sshd -i -f "$T/ssh/conf"
	up 8607
	transfer "a connection a process, 8 MB" "$BIG_SHA" "$(cli ssh $SSH_OPTIONS -p 8607 "root@$A" cat "$T/www/big.bin" | sha)"
}
pair_openssl() {
	client="openssl s_client" server="openssl s_server"
	(cd "$T/www" && srv openssl s_server -accept 8603 -cert "$T/cert.pem" -key "$T/key.pem" -WWW -quiet)
	up 8603
	transfer "TLS, 8 MB" "$BIG_SHA" "$( printf 'GET /big.bin HTTP/1.0\r\n\r\n' |
		cli openssl s_client -connect "$A:8603" -quiet -ign_eof 2>/dev/null |
		python3 -c "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().partition(b'\r\n\r\n')[2])" | sha)"
}
# iperf3's receiver stops reading when it is told that all was sent: what is looked at is what was sent, and that it ends well.
sent() { python3 -c '
import json, sys
end = json.load(sys.stdin)["end"]
print("ended well" if end["sum_sent"]["bytes"] >= 64 << 20 and end["sum_received"]["bytes"] > 0 else end)'; }
pair_iperf3() {
	client=iperf3 server=iperf3
	srv iperf3 -s -p 8604 --forceflush
	up 8604
	# What asked whether it is up is its first test, during which it is busy for others.
	until_true 10 grep -q '(test #2)' "$T/server"
	transfer "64 MB up" "ended well" "$(cli iperf3 -c "$A" -p 8604 -n 64M -J | sent)"
	transfer "64 MB down by 4 streams" "ended well" "$(cli iperf3 -c "$A" -p 8604 -R -P 4 -n 64M -J | sent)"
}

# Its sessions are processes in network namespaces of their own (isolate_network), which get data connections from one that isn't.
pair_vsftpd() {
	client=curl server=vsftpd
	local dir=$T/ftp.$role
	mkdir -p "$dir/root/up" "$dir/empty"
	cp "$T/www/big.bin" "$T/www/small.txt" "$dir/root"
	chmod -R a+rX "$dir/root"
	chown ftp "$dir/root/up"
	printf '%s\n' listen=YES listen_ipv6=NO listen_port=8605 anonymous_enable=YES anon_root="$dir/root" write_enable=YES \
		anon_upload_enable=YES secure_chroot_dir="$dir/empty" isolate_network=YES background=NO >"$dir/conf"
	srv vsftpd "$dir/conf"
	up 8605
	transfer "passive: 8 MB" "$BIG_SHA" "$(cli curl -sS -m 30 "ftp://$A:8605/big.bin" | sha)"
	transfer "active: 8 MB" "$BIG_SHA" "$(cli curl -sS -m 30 -P - "ftp://$A:8605/big.bin" | sha)"
	transfer "a list" "big.bin small.txt up" "$(cli curl -sS -m 30 -l "ftp://$A:8605/" | tr -d '\r' | sort | paste -sd ' ')"
	transfer "two files of one session" "$SMALL $SMALL" \
		"$(cli curl -sS -m 30 "ftp://$A:8605/small.txt" "ftp://$A:8605/small.txt" | paste -sd ' ')"
	cli curl -sS -m 30 -T "$T/www/big.bin" "ftp://$A:8605/up/8"
	transfer "8 MB up" "$BIG_SHA" "$(sha "$dir/root/up/8")"
}

# ---- pairs: ssh and what goes over it ----

SSH_OPTIONS="-q -i $T/ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=10"
ssh_keys() {
	[ -e "$T/ssh/id" ] && return
	mkdir -p /run/sshd "$T/ssh"
	ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
	ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/id"
	cp "$T/ssh/id.pub" "$T/ssh/auth"
	chmod 600 "$T"/ssh/*
	cat >"$T/ssh/conf" <<-END
	Port 2222
	HostKey $T/ssh/host
	AuthorizedKeysFile $T/ssh/auth
	StrictModes no
	UsePAM no
	PermitRootLogin yes
	PidFile $T/ssh/pid
	Subsystem sftp internal-sftp
	END
}
pair_ssh() {
	local o=$SSH_OPTIONS
	ssh_keys
	server=sshd
	srv /usr/sbin/sshd -D -e -f "$T/ssh/conf"
	up 2222
	client=ssh
	transfer "8 MB of a command" "$BIG_SHA" "$(cli ssh $o -p 2222 "root@$A" cat "$T/www/big.bin" | sha)"
	client=scp
	rm -f "$T/got" && cli scp $o -P 2222 "root@$A:$T/www/big.bin" "$T/got"
	transfer "8 MB" "$BIG_SHA" "$(sha "$T/got")"
	client=rsync
	rm -f "$T/got" && cli rsync -e "ssh $o -p 2222" "root@$A:$T/www/big.bin" "$T/got"
	transfer "8 MB over ssh" "$BIG_SHA" "$(sha "$T/got")"
	client=git
	[ -d "$T/repo.git" ] || {
		git init -q --bare "$T/repo.git" && git init -q "$T/tree" && cp "$T/www/big.bin" "$T/tree/"
		git -C "$T/tree" add big.bin && git -C "$T/tree" -c user.name=x -c user.email=x@xtcp.test commit -q -m x
		git -C "$T/tree" push -q "$T/repo.git" HEAD:refs/heads/main
		git -C "$T/repo.git" symbolic-ref HEAD refs/heads/main && git -C "$T/repo.git" update-server-info
		cp -r "$T/repo.git" "$T/www/repo.git" && chmod -R a+rX "$T/www/repo.git"
	} 2>/dev/null
	rm -rf "$T/clone"
	GIT_SSH_COMMAND="ssh $o" cli git clone -q "ssh://root@$A:2222$T/repo.git" "$T/clone"
	transfer "clone over ssh" "$BIG_SHA" "$(sha "$T/clone/big.bin")"
	server=nginx
	nginx_daemon
	rm -rf "$T/clone" && cli git clone -q "http://$A/repo.git" "$T/clone"
	transfer "clone over http" "$BIG_SHA" "$(sha "$T/clone/big.bin")"
}

# ---- pairs: databases ----

pair_redis() {
	client=redis-cli server=redis-server
	rm -rf "$T/redis" && mkdir -p "$T/redis"
	srv redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --dir "$T/redis" --save ""
	up 6379
	cli redis-cli -h "$A" -x set big <"$T/www/big.bin" >/dev/null
	transfer "8 MB set and got" "$BIG_SHA" "$(cli redis-cli -h "$A" --raw get big | head -c 8388608 | sha)"
	cli redis-cli -h "$A" bgsave >/dev/null
	transfer "after BGSAVE's fork" "ok" "$(until_true 10 eval "cli redis-cli -h $A info persistence | grep -q 'rdb_last_bgsave_status:ok'" && echo ok)"
	client=python3
	transfer "BGSAVE under load: 4 connections kept" "ok" "$(cli python3 -c "
import socket, threading
bad, saved = [], threading.Event()
def open():
    s = socket.create_connection(('$A', 6379)); return s, s.makefile('rb')
def work(k):
    s, f = open(); i = 0
    while i < 200 or not saved.is_set():
        v = b'%d.%d,' % (k, i) * 200; i += 1
        s.sendall(b'SET k%d.%d %b\r\n' % (k, i, v))
        if f.readline() != b'+OK\r\n': bad.append(i)
        s.sendall(b'GET k%d.%d\r\n' % (k, i)); f.readline()
        if f.readline() != v + b'\r\n': bad.append(i)
threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
[t.start() for t in threads]
s, f = open(); s.sendall(b'BGSAVE\r\n'); f.readline(); state = b'in_progress:1'
while b'in_progress:1' in state:
    s.sendall(b'INFO persistence\r\n'); state = f.read(int(f.readline()[1:]) + 2)
saved.set(); [t.join() for t in threads]
print('ok' if not bad and b'bgsave_status:ok' in state else bad)")"
}
pair_postgres() {
	local pg
	pg=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
	server=postgres
	[ -d "$T/pg" ] || {
		mkdir "$T/pg" && chown postgres "$T/pg"
		(cd / && setpriv --reuid postgres --regid postgres --clear-groups "$pg/initdb" -A trust -D "$T/pg" >/dev/null 2>&1)
		echo "host all all 0.0.0.0/0 trust" >>"$T/pg/pg_hba.conf"
	}
	rm -f "$T/pg/postmaster.pid" "$T/pg"/.s.*
	# It refuses to run as root: the capabilities go along, and what it can't look into is copied.
	[ -d "$T/bin" ] || {
		mkdir "$T/bin" && cp "$LIBXTCP" "$top_builddir/xtcp-run" "$T/bin/"
	}
	cat >"$T/pg.sh" <<-END
	cd / && exec setpriv --reuid postgres --regid postgres --clear-groups --inh-caps=+net_raw,+net_admin \
		--ambient-caps=+net_raw,+net_admin $([ "$role" = client ] || echo "$T/bin/xtcp-run") $pg/postgres -D $T/pg -h 0.0.0.0 -k $T/pg
	END
	ip netns exec "$SNS" timeout -k 5 $LIMIT bash "$T/pg.sh" >"$T/server" 2>&1 </dev/null &
	disown
	up 5432
	until_true 10 ip netns exec "$SNS" psql -h "$T/pg" -U postgres -c "select 1" postgres >/dev/null 2>&1
	client=psql
	transfer "a result of 8 MB" "8388608" "$(cli psql -h "$A" -U postgres -At -c "select repeat('x', 8388608)" postgres | tr -d '\n' | wc -c)"
	client=pgbench
	cli "$pg/pgbench" -i -q -h "$A" -U postgres postgres >/dev/null
	transfer "32 clients, 20 transactions each" "640/640 0" "$(cli "$pg/pgbench" -c 32 -j 2 -t 20 -h "$A" -U postgres postgres |
		awk '/actually processed/ { n = $NF } /failed transactions/ { f = $5 } END { print n, f + 0 }')"
}
pair_memcached() {
	client=python3 server=memcached
	srv memcached -u nobody -l 0.0.0.0 -p 11211 -U 0 -t 4
	up 11211
	transfer "8 clients, 2,000 values" "ok" "$(cli python3 -c "
import socket, threading
bad = []
def work(k):
    s = socket.create_connection(('$A', 11211)); f = s.makefile('rb')
    for i in range(250):
        v = b'%d-%d' % (k, i) * 100
        s.sendall(b'set %d.%d 0 0 %d\r\n%b\r\n' % (k, i, len(v), v))
        if f.readline() != b'STORED\r\n': bad.append(i)
        s.sendall(b'get %d.%d\r\n' % (k, i)); f.readline()
        if f.readline() != v + b'\r\n': bad.append(i)
        f.readline()
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print('ok' if not bad else bad)")"
}

# NAME  the programs that it needs
PAIRS="curl:curl,nginx wget:wget,nginx ab:ab,nginx wrk:wrk,nginx wrk_reload:wrk,curl,nginx h2load:h2load,nginx urllib:python3
python_tls:python3,nginx asyncio:python3 node:node node_cluster:node node_net:node java:java,haproxy perl:perl,php,apache2 nc:nc
socat:socat inetd:nc activate:systemd-socket-activate,haproxy,curl,ssh,sshd openssl:openssl iperf3:iperf3 vsftpd:curl,vsftpd ssh:ssh,sshd,scp,rsync,git,nginx redis:redis-cli,redis-server
postgres:psql,pgbench memcached:memcached"
PATH=$PATH:/usr/sbin

has_all() {
	local p
	for p in ${1//,/ }; do
		command -v "$p" >/dev/null || { echo "$p"; return 1; }
	done
}

for pair in $PAIRS; do
	name=${pair%%:*}
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	missing=$(has_all "${pair#*:}") || { note "skip: $name: $missing isn't installed"; continue; }
	for r in $ROLES; do
		set_role "$r"
		pair_$name
		kill_all
	done
done

# A name, with the version of its program.
named() {
	local v
	v=$(version "${1%%[ ,]*}")
	echo "$1${v:+ ($v)}"
}
write_doc() {
	local key c s what r
	echo "# Programs"
	echo
	echo "Written by \`tests/netns/programs.sh\`, which is a part of \`make check\`: programs on Debian $(cut -d. -f1 /etc/debian_version),"
	echo "on the shared address, with every transfer's bytes compared (what ab, h2load, pgbench and iperf3 check and count, they"
	echo "check and count themselves). \"Client\" is the client over xtcp and the server over the kernel,"
	echo "\"server\" the other way round, \"both\" both over xtcp. A \"yes\" also says that the TCP of the kernel has opened no connection"
	echo "where the client is over xtcp (Tcp: ActiveOpens of its namespace), and accepted none where the server is (PassiveOpens)."
	echo
	echo "| client | server | what was done | client | server | both |"
	echo "|---|---|---|---|---|---|"
	for key in "${rows[@]}"; do
		IFS='|' read -r c s what <<<"$key"
		r=${result[$key]//|/ | }
		echo "| $(named "$c") | $(named "$s") | $what$r |"
	done
}
[ $# != 0 ] || write_doc >"$top_builddir/programs.md"
finish
