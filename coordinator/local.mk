# coordinator
noinst_LIBRARIES += %D%/libcoordconfig.a
%C%_libcoordconfig_a_SOURCES = %D%/config.c %D%/config.h
