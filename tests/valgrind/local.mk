EXTRA_DIST += %D%/valgrind.sh %D%/suppressions

valgrind:
	@builddir='$(abs_top_builddir)' top_srcdir='$(abs_top_srcdir)' \
	    sh "$(top_srcdir)/%D%/valgrind.sh"
.PHONY: valgrind
