#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sockets that are handed to other processes, with the library and without: over xtcp as over the kernel (server.sh).
exec bash "$(dirname "$0")/server.sh" rights:connections rights:listeners rights:messages
