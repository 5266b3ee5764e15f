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

# A fault at each place.
check_PROGRAMS += %D%/test_places
%C%_test_places_SOURCES = %D%/test_places.c
%C%_test_places_LDADD = $(harness_libs)

EXTRA_PROGRAMS += %D%/forks
CLEANFILES += %D%/forks
%C%_forks_SOURCES = %D%/forks.c %D%/fault.c %D%/fault.h
%C%_forks_LDADD = $(CMOCKA_LIBS)
EXTRA_DIST += %D%/forks.sh

# The same under the other residents.
resident_programs = %D%/uplink %D%/listener %D%/control %D%/board
EXTRA_PROGRAMS += %D%/residents $(resident_programs)
CLEANFILES += %D%/residents $(resident_programs)
%C%_uplink_SOURCES = %D%/start.c
%C%_listener_SOURCES = %D%/start.c
%C%_control_SOURCES = %D%/start.c
%C%_board_SOURCES = %D%/start.c
%C%_residents_SOURCES = %D%/residents.c %D%/fault.c %D%/fault.h \
	%D%/child.c %D%/child.h \
	tests/rpc/certs.c tests/rpc/certs.h
%C%_residents_LDADD = board/libsnapshot.a privsep/libctl.a \
	privsep/libfamily.a privsep/libprivsep.a proto/libproto.a \
	crypto/libauthority.a common/libcommon.a $(PROTOBUFC_LIBS) \
	$(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CRYPTO_LIBS) $(SODIUM_LIBS) \
	$(CMOCKA_LIBS)

# Under jobs.
job_programs = %D%/reader %D%/trainer
EXTRA_PROGRAMS += %D%/jobs $(job_programs)
CLEANFILES += %D%/jobs $(job_programs)
%C%_reader_SOURCES = %D%/start.c
%C%_trainer_SOURCES = %D%/start.c
%C%_jobs_SOURCES = %D%/jobs.c %D%/fault.c %D%/fault.h \
	%D%/child.c %D%/child.h
%C%_jobs_LDADD = model/libstep.a study/libstudy.a crypto/libhash.a \
	privsep/libfamily.a privsep/libprivsep.a common/libcommon.a \
	$(SODIUM_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS) $(CMOCKA_LIBS) -lm

# And under their parents.
EXTRA_PROGRAMS += %D%/parents
CLEANFILES += %D%/parents
%C%_parents_SOURCES = %D%/parents.c %D%/fault.c %D%/fault.h \
	tests/privsep/parent.c tests/privsep/parent.h
%C%_parents_LDADD = privsep/libprivsep.a crypto/libauthority.a \
	common/libcommon.a $(CRYPTO_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
