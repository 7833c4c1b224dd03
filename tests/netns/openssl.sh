#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# openssl s_client over xtcp, in both address modes, against openssl s_server (topology: lib.sh).
. "$(dirname "$0")/lib.sh"
need openssl
net_up
make_files 8
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=xtcp.test \
	-keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
(cd "$T/www" && server "$S" 4433 openssl s_server -4 -quiet -accept 4433 -cert "$T/cert.pem" \
	-key "$T/key.pem" -WWW) || exit 99

for mode in shared own; do
	rm -f "$T/got"
	printf 'GET /big.bin HTTP/1.0\r\n\r\n' |
		xt $mode openssl s_client -quiet -verify_quiet -CAfile "$T/cert.pem" -connect "$S_ADDR:4433" \
		>"$T/got"
	# The body follows the blank line.
	sed -i '1,/^\r*$/d' "$T/got"
	check_eq "$mode: download of 8 MB over TLS" "$BIG_SHA" "$(sha "$T/got")"
	check "$mode: the handshake verifies" grep -q 'Verify return code: 0' \
		<(xt $mode openssl s_client -CAfile "$T/cert.pem" -connect "$S_ADDR:4433" </dev/null)
	if command -v curl >/dev/null; then
		xt $mode curl -sS --cacert "$T/cert.pem" --resolve "xtcp.test:4433:$S_ADDR" \
			--connect-timeout 5 -o "$T/got" https://xtcp.test:4433/big.bin
		check_eq "$mode: the same by curl" "$BIG_SHA" "$(sha "$T/got")"
	fi
done

# Upload: the server writes what it receives; at the end of its own input it would leave.
mkfifo "$T/silence"
ip netns exec "$S" openssl s_server -4 -quiet -naccept 1 -accept 4434 -cert "$T/cert.pem" \
	-key "$T/key.pem" >"$T/up/tls" 2>/dev/null <>"$T/silence" &
uploader=$!
until_true 10 listens "$S" 4434 || exit 99
xt shared openssl s_client -nocommands -connect "$S_ADDR:4434" <"$T/www/big.bin" >/dev/null
wait $uploader
check_eq "shared: upload of 8 MB over TLS" "$BIG_SHA" "$(sha "$T/up/tls")"
kernel_took_no_part "at the end"
finish
