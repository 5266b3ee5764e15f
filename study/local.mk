noinst_LIBRARIES += %D%/libstudy.a
%C%_libstudy_a_SOURCES = \
	%D%/cell.c \
	%D%/codebook.c \
	%D%/draft.h \
	%D%/model.c \
	%D%/recode.c \
	%D%/study.c %D%/study.h \
	%D%/table.c %D%/table.h
EXTRA_DIST += %D%/README.md
