EXTRA_DIST += %D%/valgrind.sh %D%/suppressions %D%/sanitize.sh

valgrind sanitize:
	@builddir='$(abs_top_builddir)' top_srcdir='$(abs_top_srcdir)' \
	    sh "$(top_srcdir)/%D%/$@.sh"
.PHONY: valgrind sanitize
