# Golden figures for tests/anonymize/test_microaggregate.c: what is lost by groups
# of k, of the North Central Cancer Treatment Group's lung cancer data as
# tests/vectors/pooled/lung.csv has them.
#
#     Rscript tests/reference/microaggregation.R tests/vectors/pooled/lung.csv \
#         >tests/vectors/microaggregation.csv
#
# MDAV as in Domingo-Ferrer, Torra 2005, algorithm 5.1, on R's matrix of
# distances; the univariate optimum as Hansen and Mukherjee 2003 define it: the
# shortest path from 0 to n where an arc from i to j, k <= j - i < 2 k, costs the
# squares of the sorted values i + 1 to j around their mean.

lung <- read.csv(commandArgs(trailingOnly = TRUE)[1])

squares <- function(x) sum(sweep(x, 2, colMeans(x))^2)

mdav <- function(x, k) {
	far <- function(open, p)
	    open[which.max(colSums((t(x[open, , drop = FALSE]) - p)^2))]
	near <- function(open, r)
	    open[order(colSums((t(x[open, , drop = FALSE]) - x[r, ])^2))[1:k]]
	open <- seq_len(nrow(x))
	groups <- list()
	while (length(open) >= 2 * k) {
		r <- far(open, colMeans(x[open, , drop = FALSE]))
		s <- far(open, x[r, ])
		for (p in if (length(open) >= 3 * k) c(r, s) else r) {
			g <- near(open, p)
			groups[[length(groups) + 1]] <- g
			open <- setdiff(open, g)
		}
	}
	if (length(open) > 0)
		groups[[length(groups) + 1]] <- open
	groups
}

optimum <- function(v, k) {
	v <- sort(v)
	n <- length(v)
	cost <- c(0, rep(Inf, n))
	for (j in k:n)
		for (size in k:min(j, 2 * k - 1)) {
			w <- v[(j - size + 1):j]
			cost[j + 1] <- min(cost[j + 1],
			    cost[j - size + 1] + sum((w - mean(w))^2))
		}
	cost[n + 1]
}

cat("columns,k,groups,squares,share\n")
line <- function(columns, k, groups, lost, x)
	cat(sprintf("%s,%d,%d,%.17g,%.17g\n", columns, k, groups, lost,
	    lost / squares(x)))
for (columns in c("time+age", "time+age+karno+wtloss")) {
	x <- as.matrix(lung[strsplit(columns, "+", fixed = TRUE)[[1]]])
	for (k in c(3, 5, 10)) {
		g <- mdav(x, k)
		stopifnot(sort(unlist(g)) == seq_len(nrow(x)))
		line(columns, k, length(g), sum(sapply(g,
		    function(i) squares(x[i, , drop = FALSE]))), x)
	}
}
for (columns in c("time", "age", "wtloss"))
	for (k in c(2, 3, 5, 10)) {
		x <- as.matrix(lung[columns])
		line(columns, k, 0, optimum(x[, 1], k), x)
	}
