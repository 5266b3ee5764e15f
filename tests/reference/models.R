# Golden files for tests/model: the data (from Debian's r-cran-survival,
# LGPL-2+, and r-cran-mass, GPL-2 | GPL-3) and what R makes of them, with
# convergence pushed to the limit of doubles and 17 significant digits.
#
#     Rscript tests/reference/models.R tests/vectors/model

suppressMessages({ library(survival); library(MASS) })
dir <- commandArgs(trailingOnly = TRUE)[1]

num <- function(x) ifelse(is.na(x), "NA", sprintf("%.17g", x))
write_data <- function(d, name)
	write.csv(d, file.path(dir, name), row.names = FALSE, quote = FALSE)

d <- lung[, c("inst", "time", "status", "age", "sex", "ph.ecog", "ph.karno",
    "wt.loss")]
d <- d[complete.cases(d), ]
lungc <- data.frame(stratum = as.integer(factor(d$inst)) - 1, time = d$time,
    event = d$status - 1, d[, c("age", "sex", "ph.ecog", "ph.karno", "wt.loss")])
write_data(lungc, "lung.csv")

r <- rotterdam
g <- gbsg
rot <- data.frame(stratum = 0, time = ifelse(r$recur == 1, r$rtime, r$dtime),
    event = pmax(r$recur, r$death), age = r$age, meno = r$meno,
    size2 = as.integer(r$size == "20-50"), size3 = as.integer(r$size == ">50"),
    grade3 = as.integer(r$grade == 3), nodes = r$nodes, pgr = r$pgr, er = r$er,
    hormon = r$hormon)
ger <- data.frame(stratum = 1, time = g$rfstime, event = g$status, age = g$age,
    meno = g$meno, size2 = as.integer(g$size > 20 & g$size <= 50),
    size3 = as.integer(g$size > 50), grade3 = as.integer(g$grade == 3),
    nodes = g$nodes, pgr = g$pgr, er = g$er, hormon = g$hormon)
rotgbsg <- rbind(rot, ger)
write_data(rotgbsg, "rotgbsg.csv")

b <- birthwt
bw <- data.frame(event = b$low, age = b$age, lwt = b$lwt,
    race2 = as.integer(b$race == 2), race3 = as.integer(b$race == 3),
    smoke = b$smoke, ptl = b$ptl, ht = b$ht, ui = b$ui, ftv = b$ftv)
write_data(bw, "birthwt.csv")

p <- biopsy[complete.cases(biopsy), ]
bio <- data.frame(event = as.integer(p$class == "malignant"), p[, 2:10])
write_data(bio, "biopsy.csv")

coefs <- c("model,ties,term,estimate,se")
fits <- c(paste0("model,ties,n,n_event,null_loglik,loglik,lr,score,wald,",
    "concordance"))

cox <- function(name, ties, formula, data) {
	f <- coxph(formula, data, ties = ties,
	    control = coxph.control(eps = 1e-12, toler.chol = 1e-13,
	    iter.max = 60))
	se <- sqrt(diag(vcov(f)))
	beta <- coef(f)
	# summary() rounds the Wald test.
	wald <- drop(t(beta) %*% solve(vcov(f), beta))
	coefs <<- c(coefs, paste(name, ties, names(beta), num(beta), num(se),
	    sep = ","))
	fits <<- c(fits, paste(name, ties, f$n, f$nevent, num(f$loglik[1]),
	    num(f$loglik[2]), num(2 * diff(f$loglik)), num(f$score), num(wald),
	    num(f$concordance["concordance"]), sep = ","))
}

for (ties in c("breslow", "efron")) {
	cox("lung", ties, Surv(time, event) ~ age + sex + ph.ecog + ph.karno +
	    wt.loss, lungc)
	cox("lung_strata", ties, Surv(time, event) ~ age + sex + ph.ecog +
	    ph.karno + wt.loss + strata(stratum), lungc)
	cox("rotgbsg", ties, Surv(time, event) ~ age + meno + size2 + size3 +
	    grade3 + nodes + pgr + er + hormon, rotgbsg)
	cox("rotgbsg_strata", ties, Surv(time, event) ~ age + meno + size2 +
	    size3 + grade3 + nodes + pgr + er + hormon + strata(stratum),
	    rotgbsg)
}

auc <- function(y, s) {
	r <- rank(s)
	n1 <- sum(y)
	(sum(r[y == 1]) - n1 * (n1 + 1) / 2) / (n1 * (length(y) - n1))
}

logistic <- function(name, data) {
	f <- glm(event ~ ., binomial, data,
	    control = glm.control(epsilon = 1e-16, maxit = 100))
	se <- sqrt(diag(vcov(f)))
	beta <- coef(f)
	ll <- as.numeric(logLik(f))
	y <- data$event
	m <- mean(y)
	ll0 <- sum(y * log(m) + (1 - y) * log(1 - m))
	x <- scale(as.matrix(data[, -1]), scale = FALSE)
	u <- colSums((y - m) * x)
	score <- drop(u %*% solve(m * (1 - m) * crossprod(x), u))
	wald <- drop(t(beta[-1]) %*% solve(vcov(f)[-1, -1], beta[-1]))
	coefs <<- c(coefs, paste(name, "-", names(beta), num(beta), num(se),
	    sep = ","))
	fits <<- c(fits, paste(name, "-", length(y), sum(y), num(ll0), num(ll),
	    num(2 * (ll - ll0)), num(score), num(wald),
	    num(auc(y, predict(f))), sep = ","))
}

logistic("birthwt", bw)
logistic("biopsy", bio)

writeLines(coefs, file.path(dir, "models_coef.csv"))
writeLines(fits, file.path(dir, "models_fit.csv"))
