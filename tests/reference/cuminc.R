# Golden files for tests/model/test_cuminc.c: cumulative incidence of competing
# causes with Aalen's variance and Gray's tests, also stratified, by cmprsk
# (r-cran-cmprsk), and for the incidence itself by survfit().  Data: mgus2 of
# survival (LGPL-2+), months to progression (1) or death before it (2).
#
#     Rscript tests/reference/cuminc.R tests/vectors/model

suppressMessages({ library(survival); library(cmprsk) })
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))

m <- mgus2
d <- data.frame(time = ifelse(m$pstat == 1, m$ptime, m$futime),
    event = ifelse(m$pstat == 1, 1, 2 * m$death))
d$event[d$time < 1] <- 0
sex <- as.integer(m$sex == "M")
old <- as.integer(m$age > 70)
d$stratum <- old * 2 + sex # strata by age, groups by sex
write.csv(d, file.path(dir, "cuminc_mgus2.csv"), row.names = FALSE,
    quote = FALSE)

curves <- "group,cause,time,incidence,se"
tests <- "strata,cause,chi2,df,p"
ci <- cuminc(d$time, d$event, sex, cencode = 0)
at <- sort(unique(d$time[d$event > 0]))
tp <- timepoints(ci, at)
fit <- survfit(Surv(time, factor(event, 0:2)) ~ sex, d)
for (g in 0:1) for (k in 1:2) {
	for (t in sort(unique(d$time[d$event == k & sex == g]))) {
		row <- paste(g, k)
		est <- tp$est[row, which(at == t)]
		var <- tp$var[row, which(at == t)]
		s <- summary(fit[g + 1, ], times = t)$pstate[1 + k]
		stopifnot(abs(s - est) < 1e-12)
		curves <- c(curves, paste(g, k, t, num(est), num(sqrt(var)),
		    sep = ","))
	}
}
for (strata in c(FALSE, TRUE)) {
	x <- if (strata) cuminc(d$time, d$event, sex, old, cencode = 0) else ci
	for (k in 1:2)
		tests <- c(tests, paste(as.integer(strata), k,
		    num(x$Tests[k, "stat"]), x$Tests[k, "df"],
		    num(x$Tests[k, "pv"]), sep = ","))
}
writeLines(curves, file.path(dir, "cuminc_curves.csv"))
writeLines(tests, file.path(dir, "cuminc_tests.csv"))
