# The example's hospitals: clinical values are real, identifiers invented.
noinst_PROGRAMS += %D%/breast-cancer/hospitals
%C%_breast_cancer_hospitals_SOURCES = %D%/breast-cancer/hospitals.c
EXTRA_DIST += %D%/README.md %D%/breast-cancer/patients.csv
examplesdir = $(docdir)/examples
dist_examples_DATA = \
	%D%/breast-cancer/rfs.study \
	%D%/consilium-coordinator.conf \
	%D%/consiliumd.conf \
	%D%/readmission.study
