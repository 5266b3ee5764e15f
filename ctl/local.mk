# The independent check: linked by nobody but consilium-local and its test.
noinst_LIBRARIES += %D%/libpooled.a
%C%_libpooled_a_SOURCES = %D%/pooled.c %D%/pooled.h
