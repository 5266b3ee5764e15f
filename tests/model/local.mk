# The whole of model/: both sides in one process.
check_LIBRARIES += %D%/libconsortium.a
%C%_libconsortium_a_SOURCES = \
	%D%/consortium.c %D%/consortium.h \
	%D%/golden.c %D%/golden.h
MODEL_TEST_LIBS = \
	%D%/libconsortium.a model/libresult.a model/libmodel.a \
	model/libstep.a common/libcommon.a $(BLAS_LIBS) $(CMOCKA_LIBS) -lm

# The step links common/ and nothing else: -lm is the test's own.
check_PROGRAMS += %D%/test_privacy
%C%_test_privacy_SOURCES = %D%/test_privacy.c
%C%_test_privacy_LDADD = \
	model/libstep.a common/libcommon.a $(CMOCKA_LIBS) -lm
EXTRA_DIST += \
	tests/reference/privacy.py \
	tests/vectors/privacy/README.md \
	tests/vectors/privacy/gauss.csv \
	tests/vectors/privacy/gaussian.csv \
	tests/vectors/privacy/rho.csv
check_PROGRAMS += %D%/test_encode %D%/test_grid
%C%_test_encode_SOURCES = %D%/test_encode.c
%C%_test_encode_LDADD = \
	model/libstep.a common/libcommon.a $(CMOCKA_LIBS) -lm
%C%_test_grid_SOURCES = %D%/test_grid.c
%C%_test_grid_LDADD = model/libstep.a common/libcommon.a $(CMOCKA_LIBS)

check_PROGRAMS += \
	%D%/test_bad_cases %D%/test_band \
	%D%/test_cuminc %D%/test_robust %D%/test_cox %D%/test_effects %D%/test_families %D%/test_few %D%/test_glm %D%/test_golden %D%/test_km \
	%D%/test_learn %D%/test_plan %D%/test_result %D%/test_textbook
%C%_test_bad_cases_SOURCES = %D%/test_bad_cases.c
%C%_test_bad_cases_LDADD = %D%/libdescribed.a $(MODEL_TEST_LIBS)
%C%_test_band_SOURCES = %D%/test_band.c
%C%_test_band_LDADD = $(MODEL_TEST_LIBS)
%C%_test_cox_SOURCES = %D%/test_cox.c
%C%_test_cox_LDADD = $(MODEL_TEST_LIBS)
%C%_test_effects_SOURCES = %D%/test_effects.c
%C%_test_effects_LDADD = $(MODEL_TEST_LIBS)
%C%_test_cuminc_SOURCES = %D%/test_cuminc.c
%C%_test_cuminc_LDADD = $(MODEL_TEST_LIBS)
%C%_test_robust_SOURCES = %D%/test_robust.c
%C%_test_robust_LDADD = $(MODEL_TEST_LIBS)
%C%_test_families_SOURCES = %D%/test_families.c
%C%_test_families_LDADD = $(MODEL_TEST_LIBS)
%C%_test_few_SOURCES = %D%/test_few.c
%C%_test_few_LDADD = $(MODEL_TEST_LIBS)
%C%_test_glm_SOURCES = %D%/test_glm.c
%C%_test_glm_LDADD = $(MODEL_TEST_LIBS)
%C%_test_golden_SOURCES = %D%/test_golden.c
%C%_test_golden_LDADD = $(MODEL_TEST_LIBS)
%C%_test_km_SOURCES = %D%/test_km.c
%C%_test_km_LDADD = $(MODEL_TEST_LIBS)
%C%_test_learn_SOURCES = %D%/test_learn.c
%C%_test_learn_LDADD = $(MODEL_TEST_LIBS)
%C%_test_plan_SOURCES = %D%/test_plan.c
%C%_test_plan_LDADD = $(MODEL_TEST_LIBS)
%C%_test_result_SOURCES = %D%/test_result.c
%C%_test_result_LDADD = $(MODEL_TEST_LIBS)
%C%_test_textbook_SOURCES = %D%/test_textbook.c
%C%_test_textbook_LDADD = $(MODEL_TEST_LIBS)

check_LIBRARIES += %D%/libdescribed.a
%C%_libdescribed_a_SOURCES = %D%/described.c %D%/described.h
check_PROGRAMS += %D%/test_disclosure %D%/test_summary
%C%_test_disclosure_SOURCES = %D%/test_disclosure.c
%C%_test_disclosure_LDADD = %D%/libdescribed.a $(MODEL_TEST_LIBS)
%C%_test_summary_SOURCES = %D%/test_summary.c
%C%_test_summary_LDADD = %D%/libdescribed.a $(MODEL_TEST_LIBS)
check_PROGRAMS += %D%/test_plan_faults
%C%_test_plan_faults_SOURCES = %D%/test_plan_faults.c
%C%_test_plan_faults_LDADD = tests/crypto/libinside.a %D%/libdescribed.a \
	$(MODEL_TEST_LIBS) $(SODIUM_LIBS) $(CRYPTO_LIBS)

EXTRA_DIST += \
	tests/reference/README.md \
	tests/reference/auc_sklearn.py \
	tests/reference/cox.R \
	tests/reference/diabetes.py \
	tests/reference/effects.R \
	tests/reference/cuminc.R tests/reference/km_bounds.R \
	tests/reference/families.R \
	tests/reference/ridge.R tests/reference/ridge.py \
	tests/reference/bands.R \
	tests/reference/robust.R \
	tests/reference/glm.R \
	tests/reference/km.R \
	tests/reference/models.R \
	tests/reference/summary.R \
	tests/vectors/model/README.md \
	tests/vectors/model/auc.csv \
	tests/vectors/model/band_critical.csv \
	tests/vectors/model/band_lung.csv \
	tests/vectors/model/biopsy.csv \
	tests/vectors/model/birthweight.csv \
	tests/vectors/model/birthwt.csv \
	tests/vectors/model/colon.csv \
	tests/vectors/model/cox_cgd.csv \
	tests/vectors/model/cox_entry.csv \
	tests/vectors/model/cox_flchain.csv \
	tests/vectors/model/cox_hazards.csv \
	tests/vectors/model/cox_heart.csv \
	tests/vectors/model/cox_concordance.csv \
	tests/vectors/model/cox_robust.csv \
	tests/vectors/model/cox_tests.csv \
	tests/vectors/model/diabetes.csv \
	tests/vectors/model/epil.csv \
	tests/vectors/model/effects.csv \
	tests/vectors/model/families_birthweight.csv \
	tests/vectors/model/families_birthwt.csv \
	tests/vectors/model/families_coef.csv \
	tests/vectors/model/families_esoph.csv \
	tests/vectors/model/families_fit.csv \
	tests/vectors/model/families_insurance.csv \
	tests/vectors/model/families_lung.csv \
	tests/vectors/model/families_quine.csv \
	tests/vectors/model/km_bounds.csv tests/vectors/model/km_rho.csv \
	tests/vectors/model/cuminc_curves.csv \
	tests/vectors/model/cuminc_mgus2.csv \
	tests/vectors/model/cuminc_tests.csv \
	tests/vectors/model/ridge.csv tests/vectors/model/ridge_fit.csv \
	tests/vectors/model/ridge_sklearn.csv \
	tests/vectors/model/robust.csv \
	tests/vectors/model/robust_epil.csv \
	tests/vectors/model/glm_coef.csv \
	tests/vectors/model/glm_fit.csv \
	tests/vectors/model/km_curves.csv \
	tests/vectors/model/km_groups.csv \
	tests/vectors/model/km_hazard_bounds.csv \
	tests/vectors/model/km_tests.csv \
	tests/vectors/model/lung.csv \
	tests/vectors/model/models_coef.csv \
	tests/vectors/model/models_fit.csv \
	tests/vectors/model/rotgbsg.csv \
	tests/vectors/model/summary.csv \
	tests/vectors/model/summary_births.csv \
	tests/vectors/model/summary_lung.csv \
	tests/vectors/model/summary_pbc.csv \
	tests/vectors/model/summary_races.csv \
	tests/vectors/model/wdbc.csv
