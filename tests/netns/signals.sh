#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Signals that come while a call sleeps, and what their handlers do: over xtcp as over the kernel (calls.sh).
FAMILIES=4 exec bash "$(dirname "$0")/calls.sh" signal handler
