# make bench: the figures that the README quotes; make soak: what takes longer
# than a check may.  Each is a script or program that says what it measured.
BENCHES =
SOAKS =

bench: all
	@set -e; for b in $(BENCHES); do \
		echo "== $$b"; \
		builddir='$(abs_top_builddir)' top_srcdir='$(abs_top_srcdir)' \
		    sh "$(top_srcdir)/$$b"; \
	done

soak: all
	@set -e; for s in $(SOAKS); do \
		echo "== $$s"; \
		builddir='$(abs_top_builddir)' top_srcdir='$(abs_top_srcdir)' \
		    sh "$(top_srcdir)/$$s"; \
	done

BENCHES += %D%/sites.sh %D%/adult.sh %D%/model.sh
BENCHES += %D%/hospital_rows.sh
SOAKS += %D%/kills.sh tests/systemd/boot.sh tests/abuse/crash.sh tests/faults/forks.sh \
	tests/chaos/chaos.sh tests/flood/soak.sh
EXTRA_DIST += $(BENCHES) $(SOAKS) %D%/README.md

noinst_PROGRAMS += %D%/model
%C%_model_SOURCES = %D%/model.c
%C%_model_LDADD = model/libmodel.a model/libstep.a common/libcommon.a \
	$(BLAS_LIBS) -lm

noinst_PROGRAMS += %D%/anonymize
%C%_anonymize_SOURCES = %D%/anonymize.c
%C%_anonymize_LDADD = anonymize/libanonymize.a study/libstudy.a \
	crypto/libhash.a common/libjson.a common/libcommon.a $(YAJL_LIBS) $(SODIUM_LIBS) -lm

BENCHES += %D%/shares.sh
noinst_PROGRAMS += %D%/shares
%C%_shares_SOURCES = %D%/shares.c
%C%_shares_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS)
%C%_shares_LDADD = crypto/libround.a crypto/librandom.a crypto/libhash.a \
	common/libcommon.a $(SODIUM_LIBS) $(CRYPTO_LIBS)
