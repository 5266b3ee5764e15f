check_PROGRAMS += %D%/test_csv
%C%_test_csv_SOURCES = %D%/test_csv.c
%C%_test_csv_LDADD = anonymize/libanonymize.a common/libcommon.a $(CMOCKA_LIBS)
%C%_LIBS = anonymize/libanonymize.a study/libstudy.a crypto/libhash.a \
	common/libjson.a common/libcommon.a $(YAJL_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS) -lm

check_PROGRAMS += %D%/test_prepare
%C%_test_prepare_SOURCES = %D%/test_prepare.c
%C%_test_prepare_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_patients
%C%_test_patients_SOURCES = %D%/test_patients.c
%C%_test_patients_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_hospitals
%C%_test_hospitals_SOURCES = %D%/test_hospitals.c
%C%_test_hospitals_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_lattice
%C%_test_lattice_SOURCES = %D%/test_lattice.c %D%/drawn.c %D%/drawn.h
%C%_test_lattice_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_risk
%C%_test_risk_SOURCES = %D%/test_risk.c
%C%_test_risk_LDADD = $(%C%_LIBS)
EXTRA_DIST += tests/reference/adult_sizes.py tests/vectors/risk/README.md \
	tests/vectors/risk/adult_sizes.csv

check_PROGRAMS += %D%/test_detect
%C%_test_detect_SOURCES = %D%/test_detect.c
%C%_test_detect_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_report
%C%_test_report_SOURCES = %D%/test_report.c %D%/prepared.c %D%/prepared.h
%C%_test_report_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_local
%C%_test_local_SOURCES = %D%/test_local.c %D%/drawn.c %D%/drawn.h
%C%_test_local_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_transform
%C%_test_transform_SOURCES = %D%/test_transform.c %D%/prepared.c \
	%D%/prepared.h
%C%_test_transform_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_microaggregate
%C%_test_microaggregate_SOURCES = %D%/test_microaggregate.c
%C%_test_microaggregate_LDADD = $(%C%_LIBS)
EXTRA_DIST += tests/reference/microaggregation.R tests/vectors/microaggregation.csv

check_PROGRAMS += %D%/test_icd10
%C%_test_icd10_SOURCES = %D%/test_icd10.c
%C%_test_icd10_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_loss
%C%_test_loss_SOURCES = %D%/test_loss.c %D%/prepared.c %D%/prepared.h
%C%_test_loss_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_people
%C%_test_people_SOURCES = %D%/test_people.c %D%/prepared.c %D%/prepared.h
%C%_test_people_LDADD = $(%C%_LIBS)

check_PROGRAMS += %D%/test_grouping
%C%_test_grouping_SOURCES = %D%/test_grouping.c
%C%_test_grouping_LDADD = $(%C%_LIBS)
