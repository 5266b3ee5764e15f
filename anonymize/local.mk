noinst_LIBRARIES += %D%/libanonymize.a
%C%_libanonymize_a_SOURCES = \
	%D%/csv.c %D%/csv.h
EXTRA_DIST += %D%/README.md
