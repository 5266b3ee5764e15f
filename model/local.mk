noinst_LIBRARIES += %D%/libstep.a %D%/libmodel.a %D%/libresult.a

# The deterministic step: gate and rounds link it, with libcommon.a and no
# mathematics library.  A compiler that contracted a * b + c to one rounding
# would make other bytes on other machines.
%C%_libstep_a_SOURCES = \
	%D%/data.h %D%/spec.c %D%/spec.h \
	%D%/step/cox.c \
	%D%/step/encode.c %D%/step/encode.h \
	%D%/step/few.c %D%/step/few.h \
	%D%/step/glm.c \
	%D%/step/feasibility.c %D%/step/feasibility.h \
	%D%/step/hazard.c %D%/step/hazard.h \
	%D%/step/grid.c %D%/step/grid.h \
	%D%/step/kind.c %D%/step/kind.h \
	%D%/step/km.c \
	%D%/step/ldl.c %D%/step/ldl.h \
	%D%/step/learn.c %D%/step/learn.h \
	%D%/step/logistic.c \
	%D%/step/newton.c %D%/step/newton.h \
	%D%/step/number.c %D%/step/number.h \
	%D%/step/pairs.c %D%/step/pairs.h \
	%D%/step/partial.c %D%/step/partial.h \
	%D%/step/plan.c %D%/step/plan.h \
	%D%/step/privacy.c %D%/step/privacy.h \
	%D%/step/recoding.c \
	%D%/step/robust.c %D%/step/robust.h \
	%D%/step/rounds.c %D%/step/rounds.h \
	%D%/step/state.h \
	%D%/step/summary.c %D%/step/summary.h
%C%_libstep_a_CFLAGS = $(AM_CFLAGS) -ffp-contract=off -fno-math-errno

# The trainer's side; wants $(BLAS_LIBS) -lm.
%C%_libmodel_a_CFLAGS = $(AM_CFLAGS) $(VECTOR_CFLAGS)
%C%_libmodel_a_SOURCES = \
	%D%/block.c \
	%D%/contribute.c %D%/contribute.h \
	%D%/cox.c \
	%D%/episodes.c \
	%D%/feasibility.c \
	%D%/few.c \
	%D%/glm.c \
	%D%/gram.c \
	%D%/km.c \
	%D%/learn.c \
	%D%/logistic.c \
	%D%/recoding.c \
	%D%/residuals.c \
	%D%/risk_sets.c %D%/risk_sets.h \
	%D%/robust.c \
	%D%/rows.c \
	%D%/summary.c \
	%D%/work.h

# Of a finished plan; wants libstep.a and -lm.
%C%_libresult_a_SOURCES = \
	%D%/band.c %D%/band.h \
	%D%/cox_report.c \
	%D%/cuminc.h %D%/cuminc_report.c \
	%D%/feasibility_report.c \
	%D%/learned.c %D%/learned.h \
	%D%/recoding_report.c \
	%D%/regression.c \
	%D%/report.h \
	%D%/result.c %D%/result.h \
	%D%/summary_report.c %D%/summary_report.h \
	%D%/survival.c %D%/survival.h \
	%D%/tail.c %D%/tail.h
EXTRA_DIST += %D%/README.md
dist_doc_DATA += docs/DISCLOSURE.md docs/NUMERICS.md docs/PRIVACY.md
