# proto: protoc-c writes the .h beside the .c.
noinst_LIBRARIES += %D%/libproto.a
nodist_%C%_libproto_a_SOURCES = \
	%D%/consilium.pb-c.c %D%/consilium.pb-c.h \
	%D%/control.pb-c.c %D%/control.pb-c.h
%C%_libproto_a_CPPFLAGS = $(AM_CPPFLAGS) $(PROTOBUFC_CFLAGS)
%C%_libproto_a_CFLAGS = $(AM_CFLAGS) -w

BUILT_SOURCES += %D%/consilium.pb-c.h %D%/control.pb-c.h
CLEANFILES += $(nodist_%C%_libproto_a_SOURCES)
EXTRA_DIST += %D%/consilium.proto %D%/control.proto %D%/README.md

%D%/consilium.pb-c.c: %D%/consilium.proto
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(PROTOC_C) -I$(srcdir)/%D% --c_out=%D% $(srcdir)/%D%/consilium.proto
%D%/consilium.pb-c.h: %D%/consilium.pb-c.c
	@test -f $@ || { rm -f %D%/consilium.pb-c.c; \
	    $(MAKE) $(AM_MAKEFLAGS) %D%/consilium.pb-c.c; }

%D%/control.pb-c.c: %D%/control.proto
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(PROTOC_C) -I$(srcdir)/%D% --c_out=%D% $(srcdir)/%D%/control.proto
%D%/control.pb-c.h: %D%/control.pb-c.c
	@test -f $@ || { rm -f %D%/control.pb-c.c; \
	    $(MAKE) $(AM_MAKEFLAGS) %D%/control.pb-c.c; }
