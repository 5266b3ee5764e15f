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
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 60)

robust <- "model,ties,cluster,term,se,wald"
tests <- "model,ties,transform,effect,chi2,df"
hazards <- "model,ties,stratum,time,hazard"

add <- function(name, ties, text, data, clusters) {
	formula <- as.formula(text, environment())
	for (k in names(clusters)) {
		data$id <- clusters[[k]]
		f <- coxph(formula, data, ties = ties, control = tight,
		    cluster = id)
		V <- vcov(f)
		wald <- drop(coef(f) %*% solve(V, coef(f)))
		robust <<- c(robust, paste(name, ties, k, names(coef(f)),
		    num(sqrt(diag(V))), num(wald), sep = ","))
	}
	f <- coxph(formula, data, ties = ties, control = tight)
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
writeLines(robust, file.path(dir, "cox_robust.csv"))
writeLines(tests, file.path(dir, "cox_tests.csv"))
writeLines(hazards, file.path(dir, "cox_hazards.csv"))
