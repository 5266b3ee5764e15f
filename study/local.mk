noinst_LIBRARIES += %D%/libstudy.a
%C%_libstudy_a_SOURCES = \
	%D%/cell.c \
	%D%/codebook.c %D%/cox.c \
	%D%/design.c \
	%D%/draft.h \
	%D%/formula.c %D%/formula.h \
	%D%/model.c \
	%D%/recode.c \
	%D%/split.c \
	%D%/study.c %D%/study.h \
	%D%/table.c %D%/table.h \
	%D%/term.c \
	%D%/zip3.c %D%/zip3.h
# Bounds of terms are part of the plan, the same on every machine.
%C%_libstudy_a_CFLAGS = $(AM_CFLAGS) -ffp-contract=off
EXTRA_DIST += %D%/README.md
