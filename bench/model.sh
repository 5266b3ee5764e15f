#!/bin/sh
# Seconds that a site computes for one round; see model.c.
exec "$builddir/bench/model"
