# Golden files for tests/model/test_km.c: survival by groups by R's survfit()
# and survdiff(), on lung.csv and rotgbsg.csv as models.R writes them, and on
# colon of the package survival (r-cran-survival, LGPL-2+).
#
#     Rscript tests/reference/km.R tests/vectors/model

suppressMessages(library(survival))
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))

lung <- read.csv(file.path(dir, "lung.csv"))
rot <- read.csv(file.path(dir, "rotgbsg.csv"))
co <- survival::colon
co <- co[co$etype == 1, ]
colon <- data.frame(stratum = as.integer(co$rx) - 1, time = co$time,
    event = co$status)
write.csv(colon, file.path(dir, "colon.csv"), row.names = FALSE, quote = FALSE)

curves <- paste0("study,group,time,at_risk,events,survival,se,low,high,",
    "hazard,hazard_se")
groups <- "study,group,n,events,median,low,high,rmst,rmst_se"
tests <- "study,rho,chi2,df,p,expected"

km <- function(name, d, group, strata, until) {
	d$g <- factor(group)
	f <- survfit(Surv(time, event) ~ g, d, timefix = FALSE)
	if (nlevels(d$g) == 1)
		f <- survfit(Surv(time, event) ~ 1, d, timefix = FALSE)
	which <- if (is.null(f$strata)) rep(1, length(f$time)) else
	    rep(seq_along(f$strata), f$strata)
	k <- f$n.event > 0
	if (is.null(strata))
	    curves <<- c(curves, paste(name, (which - 1)[k], num(f$time[k]),
	    f$n.risk[k], f$n.event[k], num(f$surv[k]), num((f$surv *
	    f$std.err)[k]), num(f$lower[k]), num(f$upper[k]), num(f$cumhaz[k]),
	    num(f$std.chaz[k]), sep = ","))
	t <- summary(f, rmean = until)$table
	if (is.null(dim(t)))
		t <- t(as.matrix(t))
	groups <<- c(groups, paste(name, seq_len(nrow(t)) - 1, t[, "records"],
	    t[, "events"], num(t[, "median"]), num(t[, "0.95LCL"]),
	    num(t[, "0.95UCL"]), num(t[, "rmean"]), num(t[, "se(rmean)"]),
	    sep = ","))
	if (nlevels(d$g) == 1)
		return()
	for (rho in 0:1) {
		x <- if (is.null(strata))
		    survdiff(Surv(time, event) ~ g, d, rho = rho)
		else {
			d$s <- strata
			survdiff(Surv(time, event) ~ g + strata(s), d,
			    rho = rho)
		}
		e <- if (is.matrix(x$exp)) rowSums(x$exp) else x$exp
		df <- length(e) - 1
		tests <<- c(tests, paste(name, rho, num(x$chisq), df,
		    num(pchisq(x$chisq, df, lower.tail = FALSE)), num(e[1]),
		    sep = ","))
	}
}

km("lung", lung, rep(0, nrow(lung)), NULL, 700)
km("lung_sex", lung, lung$sex - 1, NULL, 700)
km("lung_sex_strata", lung, lung$sex - 1, lung$stratum, 700)
km("rotgbsg", rot, rot$stratum, NULL, 1826)
km("rotgbsg_hormon", rot, rot$hormon, rot$stratum, 1826)
km("colon", colon, colon$stratum, NULL, 1826)
writeLines(curves, file.path(dir, "km_curves.csv"))
writeLines(groups, file.path(dir, "km_groups.csv"))
writeLines(tests, file.path(dir, "km_tests.csv"))
