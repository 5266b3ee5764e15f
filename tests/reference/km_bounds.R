# Golden files for tests/model/test_km.c: bounds of other kinds, medians that follow
# from them, and weighted tests, by R's survfit(conf.type =) and survdiff(rho =).
# Bounds of Nelson and Aalen's estimate are those of exp(-H), survfit(stype = 2, ctype
# = 1): plain ones of H are its "log", of log H its "log-log".
# Data: lung.csv, as models.R writes it, by sex.
#
#     Rscript tests/reference/km_bounds.R tests/vectors/model

suppressMessages(library(survival))
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
d <- read.csv(file.path(dir, "lung.csv"))
out <- "bounds,group,time,low,high,median_low,median_high"
for (type in c("log", "log-log", "plain")) {
	f <- survfit(Surv(time, event) ~ sex, d, conf.type = type,
	    timefix = FALSE)
	t <- summary(f)$table
	which <- rep(0:1, f$strata)
	k <- f$n.event > 0
	out <- c(out, paste(type, which[k], f$time[k], num(f$lower[k]),
	    num(f$upper[k]), num(t[which[k] + 1, "0.95LCL"]),
	    num(t[which[k] + 1, "0.95UCL"]), sep = ","))
}
writeLines(out, file.path(dir, "km_bounds.csv"))
out <- "bounds,group,time,low,high"
for (type in c("log", "log-log", "plain")) {
	f <- survfit(Surv(time, event) ~ sex, d, stype = 2, ctype = 1,
	    conf.type = if (type == "plain") "log" else "log-log",
	    timefix = FALSE)
	which <- rep(0:1, f$strata)
	k <- f$n.event > 0
	out <- c(out, paste(type, which[k], f$time[k], num(-log(f$upper[k])),
	    num(-log(f$lower[k])), sep = ","))
}
writeLines(out, file.path(dir, "km_hazard_bounds.csv"))
out <- "rho,chi2"
for (rho in c(0.5, 2.5))
	out <- c(out, paste(rho, num(survdiff(Surv(time, event) ~ sex, d,
	    rho = rho)$chisq), sep = ","))
writeLines(out, file.path(dir, "km_rho.csv"))
