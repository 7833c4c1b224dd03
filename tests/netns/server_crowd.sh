#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Many threads on one socket: over xtcp as over the kernel (server.sh).
exec bash "$(dirname "$0")/server.sh" crowd:streams crowd:gone crowd:sets
