# systemd: units, whose common hardening is one file, users and folders.
systemdunitdir = $(unitdir)
made_units = %D%/consiliumd.service %D%/consilium-coordinator.service \
	%D%/consiliumd-certificates.service \
	%D%/consilium-coordinator-certificates.service
nodist_systemdunit_DATA = $(made_units)
dist_systemdunit_DATA = %D%/consiliumd.socket \
	%D%/consilium-coordinator.socket %D%/consiliumd-certificates.timer \
	%D%/consilium-coordinator-certificates.timer
catalogdir = $(prefix)/lib/systemd/catalog
dist_catalog_DATA = %D%/consilium.catalog
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

CLEANFILES += $(made_units) %D%/consilium.tmpfiles.conf
EXTRA_DIST += %D%/README.md \
	%D%/consilium-coordinator.service.in %D%/consiliumd.service.in \
	%D%/consilium-coordinator-certificates.service.in \
	%D%/consiliumd-certificates.service.in \
	%D%/hardening.conf %D%/consilium.sysusers.conf \
	%D%/consilium.tmpfiles.conf.in

UNIT_SED = $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e '/@hardening[@]/{' -e 'r $(srcdir)/%D%/hardening.conf' -e 'd' -e '}'

%D%/consiliumd.service: \
    %D%/consiliumd.service.in %D%/hardening.conf
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(UNIT_SED) $(srcdir)/%D%/consiliumd.service.in >$@
%D%/consilium-coordinator.service: \
    %D%/consilium-coordinator.service.in %D%/hardening.conf
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(UNIT_SED) $(srcdir)/%D%/consilium-coordinator.service.in >$@
%D%/consiliumd-certificates.service: \
    %D%/consiliumd-certificates.service.in %D%/hardening.conf
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(UNIT_SED) $(srcdir)/%D%/consiliumd-certificates.service.in >$@
%D%/consilium-coordinator-certificates.service: \
    %D%/consilium-coordinator-certificates.service.in %D%/hardening.conf
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(UNIT_SED) $(srcdir)/%D%/consilium-coordinator-certificates.service.in >$@
%D%/consilium.tmpfiles.conf: %D%/consilium.tmpfiles.conf.in
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	    $(UNIT_SED) $(srcdir)/%D%/consilium.tmpfiles.conf.in >$@

all-local: %D%/consilium.tmpfiles.conf

# Both are one name in their folders.
install-data-local: %D%/consilium.tmpfiles.conf
	$(MKDIR_P) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir)
	$(INSTALL_DATA) $(srcdir)/%D%/consilium.sysusers.conf \
	    $(DESTDIR)$(sysusersdir)/consilium.conf
	$(INSTALL_DATA) %D%/consilium.tmpfiles.conf \
	    $(DESTDIR)$(tmpfilesdir)/consilium.conf
uninstall-local:
	rm -f $(DESTDIR)$(sysusersdir)/consilium.conf \
	    $(DESTDIR)$(tmpfilesdir)/consilium.conf
