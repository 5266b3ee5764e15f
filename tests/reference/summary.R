# Golden files for tests/model/test_summary.c: descriptive statistics by groups
# by R, on birthwt of the package MASS and on pbc and lung of the package
# survival (r-cran-mass, r-cran-survival).
#
#     Rscript tests/reference/summary.R tests/vectors/model
#
# summary_NAME.csv: the first line has names, the second types: g the group (0,
# 1, ...), n a number, w a whole number, l a level (0, 1, ...).

dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
out <- "study,variable,what,group,value"
put <- function(study, v, what, group, x)
	out <<- c(out, paste(study, v, what, group, num(x), sep = ","))

# Yang, Dalton: A unified approach to measuring the effect size between two
# groups using SAS, 2012.
smd_levels <- function(x, y, levels) {
	p <- prop.table(table(factor(x, levels)))[-1]
	q <- prop.table(table(factor(y, levels)))[-1]
	s <- (diag(p, length(p)) - p %o% p + diag(q, length(q)) - q %o% q) / 2
	sqrt(drop(t(p - q) %*% solve(s) %*% (p - q)))
}
smd_numbers <- function(x, y)
	abs(mean(x) - mean(y)) / sqrt((var(x) + var(y)) / 2)

largest <- function(x, g, f) {
	parts <- split(x, g)
	max(combn(length(parts), 2, function(i) f(parts[[i[1]]], parts[[i[2]]])))
}

summarise <- function(study, d, types) {
	d <- d[!is.na(d$group), ]
	rows <- rbind(types, sapply(d, function(x) ifelse(is.na(x), "NA",
	    format(x, digits = 15, trim = TRUE))))
	write.table(rows, file.path(dir, paste0("summary_", study, ".csv")),
	    sep = ",", row.names = FALSE, quote = FALSE)
	g <- d$group
	k <- length(unique(g))
	for (v in names(d)[types != "g"]) {
		x <- d[[v]][!is.na(d[[v]])]
		gx <- g[!is.na(d[[v]])]
		for (a in sort(unique(g))) {
			put(study, v, "n", a, sum(gx == a))
			put(study, v, "missing", a, sum(g == a) - sum(gx == a))
		}
		if (types[names(d) == v] == "l") {
			t <- table(x, gx)
			for (l in seq_len(nrow(t))) for (a in seq_len(ncol(t)))
				put(study, v, paste0("level", l - 1), a - 1,
				    t[l, a])
			if (k == 1)
				next
			c <- suppressWarnings(chisq.test(t, correct = FALSE))
			put(study, v, "chi2", "", c$statistic)
			put(study, v, "chi2_df", "", c$parameter)
			put(study, v, "chi2_p", "", c$p.value)
			put(study, v, "smd", "", largest(x, gx, function(a, b)
				smd_levels(a, b, sort(unique(x)))))
			next
		}
		qs <- c(0.05, 0.25, 0.5, 0.75, 0.95)
		for (a in c(sort(unique(g)), "all")) {
			y <- if (a == "all") x else x[gx == a]
			put(study, v, "mean", a, mean(y))
			put(study, v, "sd", a, sd(y))
			for (i in seq_along(qs))
				put(study, v, paste0("q", i - 1), a,
				    quantile(y, qs[i]))
		}
		if (k == 1)
			next
		put(study, v, "smd", "", largest(x, gx, smd_numbers))
		if (k == 2) {
			e <- t.test(x[gx == 0], x[gx == 1], var.equal = TRUE)
			w <- t.test(x[gx == 0], x[gx == 1])
			r <- wilcox.test(x[gx == 0], x[gx == 1], exact = FALSE)
		} else {
			e <- oneway.test(x ~ gx, var.equal = TRUE)
			w <- oneway.test(x ~ gx)
			r <- kruskal.test(x, gx)
		}
		put(study, v, "equal", "", e$statistic)
		put(study, v, "equal_p", "", e$p.value)
		put(study, v, "welch", "", w$statistic)
		put(study, v, "welch_df", "",
		    w$parameter[length(w$parameter)])
		put(study, v, "welch_p", "", w$p.value)
		put(study, v, "ranks", "", r$statistic)
		put(study, v, "ranks_p", "", r$p.value)
	}
	m <- d[, types %in% c("n", "w")]
	m <- m[complete.cases(m), ]
	put(study, "", "pairs", "", nrow(m))
	r <- cor(m)
	for (i in seq_len(ncol(m))) for (j in seq_len(ncol(m)))
		put(study, names(m)[i], paste0("cor:", names(m)[j]), "",
		    r[i, j])
}

b <- MASS::birthwt
births <- data.frame(group = b$smoke, age = b$age, lwt = b$lwt, ptl = b$ptl,
    ftv = b$ftv, bwt = b$bwt, race = b$race - 1, ht = b$ht, ui = b$ui,
    low = b$low)
types <- c("g", "w", "w", "w", "w", "w", "l", "l", "l", "l")
summarise("births", births, types)
births$group <- b$race - 1
births$race <- b$smoke
summarise("races", births, types)

p <- survival::pbc
summarise("pbc", data.frame(group = p$trt - 1, age = p$age, bili = p$bili,
    chol = p$chol, albumin = p$albumin, copper = p$copper, trig = p$trig,
    platelet = p$platelet, protime = p$protime, sex = as.integer(p$sex) - 1,
    edema = p$edema * 2, stage = p$stage - 1), c("g", "n", "n", "w", "n", "w",
    "w", "w", "n", "l", "l", "l"))

l <- survival::lung
summarise("lung", data.frame(group = 0, age = l$age, karno = l$ph.karno,
    meal = l$meal.cal, loss = l$wt.loss, sex = l$sex - 1, ecog = l$ph.ecog),
    c("g", "w", "w", "w", "w", "l", "l"))
writeLines(out, file.path(dir, "summary.csv"))
