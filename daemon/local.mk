# daemon
noinst_LIBRARIES += %D%/libsiteconfig.a
%C%_libsiteconfig_a_SOURCES = %D%/config.c %D%/config.h
