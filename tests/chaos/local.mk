EXTRA_PROGRAMS += %D%/link
%C%_link_SOURCES = %D%/link.c
%C%_link_LDADD = common/libcommon.a
CLEANFILES += %D%/link
EXTRA_DIST += %D%/chaos.sh
