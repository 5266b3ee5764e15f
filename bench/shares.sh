#!/bin/sh
# Seconds to check a round's unmask answers; see shares.c.
exec "$builddir/bench/shares"
