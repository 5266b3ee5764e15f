# Faults of the system under the real gate and the real rounds: fault.h.
EXTRA_PROGRAMS += %D%/shim.so %D%/gate %D%/rounds
fault_programs = %D%/shim.so %D%/gate %D%/rounds
check_DATA += $(fault_programs)
CLEANFILES += $(fault_programs)
%C%_shim_so_SOURCES = %D%/shim.c %D%/fork.c %D%/fork.h %D%/fault.h
%C%_shim_so_CFLAGS = -std=gnu17 $(WARN_CFLAGS) -fPIC -fno-builtin
%C%_shim_so_LDFLAGS = -shared
%C%_gate_SOURCES = %D%/start.c
%C%_rounds_SOURCES = %D%/start.c

check_PROGRAMS += %D%/test_disk
%C%_test_disk_SOURCES = %D%/test_disk.c
%C%_test_disk_LDADD = $(harness_libs)

check_PROGRAMS += %D%/test_recovery
%C%_test_recovery_SOURCES = %D%/test_recovery.c
%C%_test_recovery_LDADD = $(harness_libs)

# A fault at each place.
check_PROGRAMS += %D%/test_places
%C%_test_places_SOURCES = %D%/test_places.c
%C%_test_places_LDADD = $(harness_libs)

EXTRA_PROGRAMS += %D%/forks
CLEANFILES += %D%/forks
%C%_forks_SOURCES = %D%/forks.c %D%/fault.c %D%/fault.h
%C%_forks_LDADD = $(CMOCKA_LIBS)
EXTRA_DIST += %D%/forks.sh

# The same under the other residents, under jobs, and under the parents.
other_programs = %D%/uplink %D%/listener %D%/control %D%/board %D%/reader \
	%D%/trainer
EXTRA_PROGRAMS += $(other_programs)
check_DATA += $(other_programs)
CLEANFILES += $(other_programs)
%C%_uplink_SOURCES = %D%/start.c
%C%_listener_SOURCES = %D%/start.c
%C%_control_SOURCES = %D%/start.c
%C%_board_SOURCES = %D%/start.c
%C%_reader_SOURCES = %D%/start.c
%C%_trainer_SOURCES = %D%/start.c

check_PROGRAMS += %D%/test_residents %D%/test_jobs %D%/test_parents
%C%_test_residents_SOURCES = %D%/test_residents.c %D%/fault.c %D%/fault.h \
	%D%/child.c %D%/child.h tests/rpc/certs.c tests/rpc/certs.h
%C%_test_residents_LDADD = board/libsnapshot.a privsep/libctl.a \
	privsep/libfamily.a privsep/libprivsep.a proto/libproto.a \
	crypto/libauthority.a common/libcommon.a $(PROTOBUFC_LIBS) \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)
%C%_test_jobs_SOURCES = %D%/test_jobs.c %D%/fault.c %D%/fault.h \
	%D%/child.c %D%/child.h
%C%_test_jobs_LDADD = model/libstep.a study/libstudy.a crypto/libhash.a \
	privsep/libfamily.a privsep/libprivsep.a common/libcommon.a \
	$(SODIUM_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm
%C%_test_parents_SOURCES = %D%/test_parents.c %D%/fault.c %D%/fault.h \
	tests/privsep/parent.c tests/privsep/parent.h
%C%_test_parents_LDADD = privsep/libprivsep.a crypto/libauthority.a \
	common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
