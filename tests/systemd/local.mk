check_SCRIPTS += %D%/units.sh
EXTRA_DIST += %D%/units.sh %D%/boot.sh %D%/inside.sh
