# The independent check: linked by nobody but consilium-local and its test.
noinst_LIBRARIES += %D%/libpooled.a %D%/liblocal.a
%C%_libpooled_a_SOURCES = %D%/pooled.c %D%/pooled.h

%C%_liblocal_a_SOURCES = \
	%D%/json_read.c %D%/json_read.h \
	%D%/local_proc.c %D%/local_proc.h
