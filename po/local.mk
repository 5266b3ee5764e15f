# Translations: one po/LANGUAGE.po each, made into the catalogue that the daemon
# gives to its reader.  "make update-po" takes new texts from the sources.
translations = %D%/zh_CN.po
translated_c = anonymize/changes.c anonymize/charts.c anonymize/detect.c anonymize/facts.c \
	anonymize/findings.c anonymize/report_html.c anonymize/rules.c \
	anonymize/section_loss.c anonymize/section_risk.c anonymize/words.c
xgettext_c = xgettext --from-code=UTF-8 --language=C --keyword \
	--keyword=_ --keyword=N_ --keyword=C_:1c,2 --keyword=P_:1,2 \
	--add-comments=TRANSLATORS --sort-by-file --no-wrap --no-location \
	--package-name=consilium --copyright-holder='the consilium authors'

zh_CNdir = $(localedir)/zh_CN/LC_MESSAGES
nodist_zh_CN_DATA = %D%/zh_CN/LC_MESSAGES/consilium.mo
EXTRA_DIST += %D%/README.md $(translations)

%D%/zh_CN/LC_MESSAGES/consilium.mo: %D%/zh_CN.po
	$(AM_V_GEN)$(MKDIR_P) %D%/zh_CN/LC_MESSAGES && \
	    $(MSGFMT) --check --endianness=little -o $@ $(srcdir)/%D%/zh_CN.po
CLEANFILES += %D%/zh_CN/LC_MESSAGES/consilium.mo

# The texts of the sources, and where they are; for update-po and the test.
%D%/consilium.pot: $(translated_c) Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && pot=$$(cd %D% && pwd)/consilium.pot && \
	    cd $(srcdir) && $(xgettext_c) -o "$$pot" $(translated_c)
CLEANFILES += %D%/consilium.pot
print-translated:
	@echo $(translated_c)

update-po: %D%/consilium.pot
	msgmerge --quiet --update --backup=none \
	    --no-wrap --no-location --no-fuzzy-matching \
	    $(srcdir)/%D%/zh_CN.po %D%/consilium.pot
.PHONY: print-translated update-po
