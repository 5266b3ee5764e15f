# Each a libFuzzer program with --enable-fuzz, else a test that replays.
fuzzers = %D%/fuzz_config %D%/fuzz_control %D%/fuzz_csv %D%/fuzz_envelope \
	%D%/fuzz_exchange %D%/fuzz_json %D%/fuzz_plan %D%/fuzz_round \
	%D%/fuzz_signed %D%/fuzz_study %D%/fuzz_table
if FUZZ
noinst_PROGRAMS += $(fuzzers)
fuzz_main = %D%/libfuzz.a
fuzz_link = $(AM_LDFLAGS) -fsanitize=fuzzer
else
check_PROGRAMS += $(fuzzers)
fuzz_main = %D%/libreplay.a
fuzz_link = $(AM_LDFLAGS)
endif
%C%_libfuzz_a_SOURCES = %D%/fuzz.h %D%/seeds.c
%C%_libreplay_a_SOURCES = %D%/fuzz.h %D%/seeds.c %D%/replay.c
EXTRA_LIBRARIES = %D%/libfuzz.a %D%/libreplay.a
CLEANFILES += $(EXTRA_LIBRARIES)

%C%_fuzz_config_SOURCES = %D%/fuzz_config.c
%C%_fuzz_config_LDFLAGS = $(fuzz_link)
%C%_fuzz_config_LDADD = $(fuzz_main) daemon/libsiteconfig.a \
	coordinator/libcoordconfig.a study/libstudy.a common/libcommon.a
%C%_fuzz_control_SOURCES = %D%/fuzz_control.c
%C%_fuzz_control_LDFLAGS = $(fuzz_link)
%C%_fuzz_control_LDADD = $(fuzz_main) privsep/libctl.a privsep/libprivsep.a \
	proto/libproto.a common/libcommon.a $(PROTOBUFC_LIBS)
%C%_fuzz_csv_SOURCES = %D%/fuzz_csv.c
%C%_fuzz_csv_LDFLAGS = $(fuzz_link)
%C%_fuzz_csv_LDADD = $(fuzz_main) anonymize/libanonymize.a common/libcommon.a
%C%_fuzz_envelope_SOURCES = %D%/fuzz_envelope.c
%C%_fuzz_envelope_LDFLAGS = $(fuzz_link)
%C%_fuzz_envelope_LDADD = $(fuzz_main) rpc/librpc.a proto/libproto.a \
	common/libcommon.a $(PROTOBUFC_LIBS)
%C%_fuzz_exchange_SOURCES = %D%/fuzz_exchange.c
%C%_fuzz_exchange_LDFLAGS = $(fuzz_link)
%C%_fuzz_exchange_LDADD = $(fuzz_main) crypto/libround.a \
	crypto/libauthority.a crypto/libround.a crypto/librandom.a \
	crypto/libhash.a common/libcommon.a $(SODIUM_LIBS) $(CRYPTO_LIBS)
%C%_fuzz_json_SOURCES = %D%/fuzz_json.c
%C%_fuzz_json_LDFLAGS = $(fuzz_link)
%C%_fuzz_json_LDADD = $(fuzz_main) common/libjson.a common/libcommon.a \
	$(YAJL_LIBS)
%C%_fuzz_plan_SOURCES = %D%/fuzz_plan.c
%C%_fuzz_plan_LDFLAGS = $(fuzz_link)
%C%_fuzz_plan_LDADD = $(fuzz_main) model/libmodel.a model/libstep.a \
	study/libstudy.a common/libcommon.a $(BLAS_LIBS) -lm
%C%_fuzz_round_SOURCES = %D%/fuzz_round.c
%C%_fuzz_round_LDFLAGS = $(fuzz_link)
%C%_fuzz_round_LDADD = $(fuzz_main) $(round_libs)
%C%_fuzz_signed_SOURCES = %D%/fuzz_signed.c
%C%_fuzz_signed_LDFLAGS = $(fuzz_link)
%C%_fuzz_signed_LDADD = $(fuzz_main) $(authority_libs)
%C%_fuzz_study_SOURCES = %D%/fuzz_study.c
%C%_fuzz_study_LDFLAGS = $(fuzz_link)
%C%_fuzz_study_LDADD = $(fuzz_main) study/libstudy.a common/libcommon.a
%C%_fuzz_table_SOURCES = %D%/fuzz_table.c
%C%_fuzz_table_LDFLAGS = $(fuzz_link)
%C%_fuzz_table_LDADD = $(fuzz_main) study/libstudy.a common/libcommon.a -lm
EXTRA_DIST += %D%/corpus/fuzz_config %D%/corpus/fuzz_control \
	%D%/corpus/fuzz_csv %D%/corpus/fuzz_envelope %D%/corpus/fuzz_exchange \
	%D%/corpus/fuzz_json %D%/corpus/fuzz_plan %D%/corpus/fuzz_round \
	%D%/corpus/fuzz_signed %D%/corpus/fuzz_study %D%/corpus/fuzz_table \
	%D%/run.sh
