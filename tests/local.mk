# A test program mirrors a module and links its module and what that may use,
# nothing more: a call in the wrong direction fails to link.
EXTRA_DIST += %D%/check.h %D%/leave.h
TESTS += $(check_PROGRAMS) $(check_SCRIPTS)
# Some preload a library into a daemon: AddressSanitizer does not mind.
AM_TESTS_ENVIRONMENT = \
	srcdir='$(srcdir)'; builddir='$(abs_top_builddir)'; \
	top_srcdir='$(abs_top_srcdir)'; export srcdir builddir top_srcdir; \
	TSAN_OPTIONS=ignore_noninstrumented_modules=1; export TSAN_OPTIONS; \
	ASAN_OPTIONS=$$ASAN_OPTIONS:verify_asan_link_order=0; \
	export ASAN_OPTIONS;

include %D%/common/local.mk
include %D%/crypto/local.mk
include %D%/model/local.mk
include %D%/ctl/local.mk
include %D%/anonymize/local.mk
include %D%/man/local.mk
include %D%/po/local.mk
include %D%/study/local.mk
include %D%/daemon/local.mk
include %D%/coordinator/local.mk
include %D%/rounds/local.mk
include %D%/faults/local.mk
include %D%/abuse/local.mk
include %D%/privsep/local.mk
include %D%/isolation/local.mk
include %D%/fuzz/local.mk
include %D%/systemd/local.mk
include %D%/board/local.mk
include %D%/rpc/local.mk
include %D%/e2e/local.mk
include %D%/chaos/local.mk
include %D%/flood/local.mk
include %D%/valgrind/local.mk
