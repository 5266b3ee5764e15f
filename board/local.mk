# What gate and rounds write, and the board reads.
noinst_LIBRARIES += %D%/libsnapshot.a
%C%_libsnapshot_a_SOURCES = %D%/snapshot.c %D%/snapshot.h
EXTRA_DIST += %D%/README.md
