noinst_LIBRARIES += %D%/libcommon.a %D%/libdb.a %D%/libjson.a
%C%_libcommon_a_SOURCES = \
	%D%/bucket.c %D%/bucket.h \
	%D%/canon.c %D%/canon.h \
	%D%/catalogue.c %D%/catalogue.h \
	%D%/clock.c %D%/clock.h \
	%D%/err.c %D%/err.h \
	%D%/file.c %D%/file.h \
	%D%/hex.c %D%/hex.h \
	%D%/ini.c %D%/ini.h \
	%D%/json.c %D%/json.h \
	%D%/log.c %D%/log.h \
	%D%/log_events.h \
	%D%/macros.h \
	%D%/utf8.c %D%/utf8.h

# Apart, so that only who keeps a database links SQLite.
%C%_libdb_a_SOURCES = %D%/db.c %D%/db.h %D%/steps.c %D%/steps.h
%C%_libdb_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(SODIUM_CFLAGS)
# The reader of JSON, apart for the same reason.
%C%_libjson_a_SOURCES = %D%/json_read.c %D%/json_read.h
EXTRA_DIST += %D%/README.md
