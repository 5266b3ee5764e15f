check_SCRIPTS += %D%/catalogues.sh
EXTRA_DIST += %D%/catalogues.sh
