# daemon
noinst_LIBRARIES += %D%/libsiteconfig.a
%C%_libsiteconfig_a_SOURCES = %D%/config.c %D%/config.h

noinst_LIBRARIES += %D%/libtrain.a
%C%_libtrain_a_SOURCES = %D%/train.c %D%/train.h
