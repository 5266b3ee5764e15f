noinst_LIBRARIES += %D%/libanonymize.a
%C%_libanonymize_a_SOURCES = \
	%D%/attack.c %D%/attack.h \
	%D%/classes.c %D%/classes.h \
	%D%/csv.c %D%/csv.h \
	%D%/detect.c %D%/detect.h \
	%D%/dictionary.c %D%/dictionary.h \
	%D%/disclosure.c %D%/disclosure.h \
	%D%/facts.c %D%/facts.h \
	%D%/grouping.c %D%/grouping.h \
	%D%/hierarchy.c %D%/hierarchy.h \
	%D%/changes.c %D%/changes.h \
	%D%/charts.c %D%/charts.h \
	%D%/findings.c \
	%D%/icd10.c %D%/icd10.h \
	%D%/html.c %D%/html.h \
	%D%/lattice.c %D%/lattice.h \
	%D%/local.c %D%/local.h \
	%D%/loinc.c %D%/loinc.h \
	%D%/loss.c %D%/loss.h \
	%D%/means.c %D%/means.h \
	%D%/microaggregate.c %D%/microaggregate.h \
	%D%/models.c %D%/models.h \
	%D%/patients.c %D%/patients.h \
	%D%/population.c %D%/population.h \
	%D%/prepare.c %D%/prepare.h \
	%D%/pseudonym.c %D%/pseudonym.h \
	%D%/ranking.c %D%/ranking.h \
	%D%/recoding.c %D%/recoding.h \
	%D%/report.c %D%/report.h \
	%D%/report_html.c \
	%D%/rollup.c %D%/rollup.h \
	%D%/rows.c %D%/rows.h \
	%D%/rules.c %D%/rules.h \
	%D%/section_loss.c \
	%D%/section_risk.c \
	%D%/sections.c %D%/sections.h \
	%D%/separation.c %D%/separation.h \
	%D%/suppress.c %D%/suppress.h \
	%D%/words.c %D%/words.h
EXTRA_DIST += %D%/README.md
dist_doc_DATA += docs/REPORT.md docs/report.schema.json
