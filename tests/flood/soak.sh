#!/bin/sh
# tests/flood/flood.sh for longer.
set -eu
STUDIES=${STUDIES:-20} exec sh "$top_srcdir/tests/flood/flood.sh"
