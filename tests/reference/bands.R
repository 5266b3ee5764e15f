# Golden files for tests/model/test_band.c: the tables of critical values that Klein
# and Moeschberger print (Hall and Wellner's, and Nair's, which are an approximation),
# as package km.ci (r-cran-km.ci) has them; and its bands of lung.csv by sex, whose
# critical values are taken from these tables, interpolated.
#
#     Rscript tests/reference/bands.R tests/vectors/model

suppressMessages({ library(survival); library(km.ci) })
dir <- commandArgs(trailingOnly = TRUE)[1]
out <- "band,low,high,critical"
for (m in c("hall", "nair")) {
	t <- get(paste0("critical.value.", m, ".95"), asNamespace("km.ci"))
	low <- as.numeric(sub("al", "", colnames(t))) / 100
	high <- 0.08 + 0.02 * seq_len(nrow(t))
	for (i in seq_along(high)) for (j in seq_along(low)) {
		tenth <- abs(10 * c(low[j], high[i]) -
		    round(10 * c(low[j], high[i]))) < 1e-9
		if (!is.na(t[i, j]) && tenth[2] && (tenth[1] || low[j] == 0.02))
			out <- c(out, sprintf("%s,%.2f,%.2f,%.4f", m, low[j],
			    high[i], t[i, j]))
	}
}
writeLines(out, file.path(dir, "band_critical.csv"))

d <- read.csv(file.path(dir, "lung.csv"))
out <- "band,bounds,group,time,low,high"
for (m in c("hall-wellner", "loghall", "epband", "logep")) for (sex in 1:2) {
	f <- km.ci(survfit(Surv(time, event) ~ 1, d[d$sex == sex, ],
	    timefix = FALSE), method = m)
	k <- f$n.event > 0 & !is.na(f$lower)
	out <- c(out, paste(if (grepl("hall", m)) "hall-wellner" else
	    "equal-precision", if (grepl("log", m)) "log-log" else "plain",
	    sex - 1, f$time[k], sprintf("%.17g", f$lower[k]),
	    sprintf("%.17g", f$upper[k]), sep = ","))
}
writeLines(out, file.path(dir, "band_lung.csv"))
