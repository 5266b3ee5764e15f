# Whole runs by consilium-local.
E2E = %D%/birthwt.sh %D%/breast-cancer.sh %D%/lung.sh
check_SCRIPTS += $(E2E)
EXTRA_DIST += $(E2E) %D%/README.md %D%/lib.sh %D%/birthwt.study \
	%D%/lung.study
