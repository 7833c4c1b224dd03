#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Who may bind beside whom, here and in other processes: over xtcp as over the kernel (server.sh).
exec bash "$(dirname "$0")/server.sh" listening:ports
