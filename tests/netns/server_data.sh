#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Urgent data, reads, writes, closing: over xtcp as over the kernel (server.sh).
exec bash "$(dirname "$0")/server.sh" urgent:read urgent:write urgent:signals data:reading data:writing
