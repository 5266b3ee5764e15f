# man
dist_man_MANS += \
	%D%/consilium-coordinator.8 \
	%D%/consilium-coordinator.conf.5 \
	%D%/consilium-events.7 \
	%D%/consilium-local.1 \
	%D%/consilium-result.5 \
	%D%/consilium-study.5 \
	%D%/consiliumd.8 \
	%D%/consiliumd.conf.5
dist_man_MANS += %D%/consiliumctl.1
