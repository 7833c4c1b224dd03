#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Listening sockets in awkward order: over xtcp as over the kernel (server.sh).
exec bash "$(dirname "$0")/server.sh" listening:calls listening:sleepers listening:queues
