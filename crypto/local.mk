# crypto

# For anybody: who has no keys links nothing else of this folder.
noinst_LIBRARIES += %D%/libhash.a
%C%_libhash_a_SOURCES = %D%/hash.c %D%/hash.h
%C%_libhash_a_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS)
