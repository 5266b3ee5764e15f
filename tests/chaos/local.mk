EXTRA_PROGRAMS += %D%/link
check_DATA += %D%/link
# Two rounds in make check; tests/chaos/chaos.sh by itself has 50.
check_SCRIPTS += %D%/short.sh
%C%_link_SOURCES = %D%/link.c
%C%_link_LDADD = common/libcommon.a
CLEANFILES += %D%/link
EXTRA_DIST += %D%/chaos.sh %D%/lung.sh %D%/short.sh
