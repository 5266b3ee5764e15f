check_SCRIPTS += %D%/pages.sh
EXTRA_DIST += %D%/pages.sh
