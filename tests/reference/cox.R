# Golden files for what a Cox model says beside its coefficients: robust standard
# errors, the test of proportional hazards, the baseline hazard.  The data are
# those of models.R.
#
#     Rscript tests/reference/cox.R tests/vectors/model

suppressMessages(library(survival))
dir <- commandArgs(trailingOnly = TRUE)[1]
num <- function(x) sprintf("%.17g", x)
lung <- read.csv(file.path(dir, "lung.csv"))
rotgbsg <- read.csv(file.path(dir, "rotgbsg.csv"))
# As far as doubles go: coxph() stops when the likelihood does not change, where
# the coefficients still may; so it goes on from there.
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 60)
more <- suppressWarnings(
    coxph.control(eps = 1e-30, toler.chol = 1e-15, iter.max = 5))
cox <- function(text, data, ties, id = NULL) {
	data$id <- id
	formula <- as.formula(text, environment())
	args <- list(formula, data, ties = ties)
	if (!is.null(id))
		args$cluster <- quote(id)
	m <- do.call(coxph, c(args, list(control = tight)))
	args$init <- coef(m)
	n <- suppressWarnings(do.call(coxph, c(args, list(control = more))))
	n$loglik[1] <- m$loglik[1]
	n$score <- m$score
	n
}

robust <- "model,ties,cluster,term,se,wald"
tests <- "model,ties,transform,effect,chi2,df"
hazards <- "model,ties,stratum,time,hazard"

add <- function(name, ties, text, data, clusters) {
	for (k in names(clusters)) {
		f <- cox(text, data, ties, clusters[[k]])
		V <- vcov(f)
		wald <- drop(coef(f) %*% solve(V, coef(f)))
		robust <<- c(robust, paste(name, ties, k, names(coef(f)),
		    num(sqrt(diag(V))), num(wald), sep = ","))
	}
	f <- cox(text, data, ties)
	for (transform in c("km", "rank", "identity", "log")) {
		z <- cox.zph(f, transform)$table
		tests <<- c(tests, paste(name, ties, transform, rownames(z),
		    num(z[, "chisq"]), z[, "df"], sep = ","))
	}
	b <- basehaz(f, centered = FALSE)
	stratum <- if (is.null(b$strata)) 0 else
	    as.integer(sub("stratum=", "", b$strata))
	keep <- b$hazard > 0 & seq_along(b$hazard) %% 7 == 0
	hazards <<- c(hazards, paste(name, ties, stratum, b$time, num(b$hazard),
	    sep = ",")[keep])
}

lung_terms <- "Surv(time, event) ~ age + sex + ph.ecog + ph.karno + wt.loss"
rot_terms <- paste("Surv(time, event) ~ age + meno + size2 + size3 + grade3 +",
    "nodes + pgr + er + hormon")
strata_of <- function(x) paste(x, "+ strata(stratum)")
n <- nrow(lung)
m <- nrow(rotgbsg)
for (ties in c("breslow", "efron")) {
	lung_clusters <- list(row = seq_len(n), stratum = lung$stratum,
	    pair = (seq_len(n) - 1) %/% 2)
	add("lung", ties, lung_terms, lung, lung_clusters)
	add("lung_strata", ties, strata_of(lung_terms), lung, lung_clusters)
	add("rotgbsg", ties, rot_terms, rotgbsg,
	    list(row = seq_len(m), twelve = (seq_len(m) - 1) %% 12))
}

# Delayed entry and several rows per patient.  Stanford heart transplants (Crowley
# and Hu 1977): time-dependent treatment, in half days; chronic granulomatous
# disease (Fleming and Harrington 1991), 13 hospitals: recurrent infections;
# free light chains (Dispenzieri et al. 2012): from age 50 on, in months of age.
h <- survival::heart
h <- data.frame(patient = h$id - 1, entry = 2 * h$start, time = 2 * h$stop,
    event = h$event, age = h$age, year = h$year, surgery = h$surgery,
    transplant = as.integer(h$transplant == 1))
g <- survival::cgd
g <- data.frame(patient = g$id - 1, stratum = as.integer(g$center) - 1,
    entry = g$tstart, time = g$tstop, event = g$status,
    treat = as.integer(g$treat == "rIFN-g"), age = g$age,
    inherit = as.integer(g$inherit == "autosomal"),
    steroids = g$steroids)
f <- survival::flchain
f <- f[complete.cases(f) & f$futime > 0, ][1:800, ]
f <- data.frame(entry = 12 * f$age - 600,
    time = 12 * f$age - 600 + ceiling(f$futime / 30.4375), event = f$death,
    sex = as.integer(f$sex == "F"), kappa = f$kappa, lambda = f$lambda,
    creatinine = f$creatinine)
f$patient <- seq_len(nrow(f)) - 1
concordance <- "model,ties,concordance"
entries <- "model,ties,term,estimate,se,null_loglik,loglik,score"
for (d in list(list("heart", h, ""), list("cgd", g, ""),
    list("cgd_strata", g, "+ strata(stratum)"), list("flchain", f, ""))) {
	name <- d[[1]]
	data <- d[[2]]
	special <- c("patient", "stratum", "entry", "time", "event")
	text <- paste("Surv(entry, time, event) ~",
	    paste(setdiff(names(data), special), collapse = " + "), d[[3]])
	if (d[[3]] == "")
		write.csv(data, file.path(dir, paste0("cox_", name, ".csv")),
		    row.names = FALSE, quote = FALSE)
	for (ties in c("breslow", "efron")) {
		add(name, ties, text, data, list(patient = data$patient))
		m <- cox(text, data, ties)
		concordance <- c(concordance, paste(name, ties,
		    num(m$concordance["concordance"]), sep = ","))
		entries <- c(entries, paste(name, ties, names(coef(m)),
		    num(coef(m)), num(sqrt(diag(vcov(m)))), num(m$loglik[1]),
		    num(m$loglik[2]), num(m$score), sep = ","))
	}
}
# Treatment with another effect from day 150 and from day 250 on.
s <- survSplit(Surv(entry, time, event) ~ ., g, cut = c(150, 250),
    episode = "piece")
s$treat2 <- s$treat * (s$piece == 2)
s$treat3 <- s$treat * (s$piece == 3)
text <- paste("Surv(entry, time, event) ~ treat + age + inherit + steroids +",
    "treat2 + treat3")
for (ties in c("breslow", "efron")) {
	add("cgd_time", ties, text, s, list(patient = s$patient))
	m <- cox(text, s, ties)
	entries <- c(entries, paste("cgd_time", ties, names(coef(m)),
	    num(coef(m)), num(sqrt(diag(vcov(m)))), num(m$loglik[1]),
	    num(m$loglik[2]), num(m$score), sep = ","))
}
writeLines(concordance, file.path(dir, "cox_concordance.csv"))
writeLines(entries, file.path(dir, "cox_entry.csv"))
writeLines(robust, file.path(dir, "cox_robust.csv"))
writeLines(tests, file.path(dir, "cox_tests.csv"))
writeLines(hazards, file.path(dir, "cox_hazards.csv"))
