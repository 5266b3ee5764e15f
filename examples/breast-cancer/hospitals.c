/*
 * Make one CSV file per hospital from patients.csv.  The clinical values are
 * real; everything that would name a patient is invented here, from a seed, so
 * that the same command always writes the same bytes.
 *
 *     hospitals PATIENTS.csv DIR            writes DIR/SITE.csv, four of them
 *     hospitals --identifiers PATIENTS.csv  prints every invented identifier
 *
 * The German trial is one site; the Rotterdam tumour bank is dealt into three,
 * its rows in turn.  Six rows per site are added that lack a value, and two at
 * rotterdam-c that no codebook would take: real exports have such rows, and
 * what remains after them is the real data, all of it and nothing else.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

#define SEED 20261123
#define INCOMPLETE_ROWS 6
#define LINE_MAX_BYTES 256

enum country { GERMANY, NETHERLANDS, BELGIUM };

/* How a hospital writes, and where its patients live. */
static const struct site {
	const char *name, *cohort, *records;
	enum country country;
	size_t turn, of; /* of the cohort's rows: every of-th, from turn */
	char separator;
	const char *line_end, *bom;
	size_t rejected;
} sites[] = {
	{ "gbsg", "gbsg", "FR", GERMANY, 0, 1, ',', "\n", "", 0 },
	{ "rotterdam-a", "rotterdam", "RA", NETHERLANDS, 0, 3, ',', "\r\n", "",
	    0 },
	{ "rotterdam-b", "rotterdam", "RB", NETHERLANDS, 1, 3, ';', "\n",
	    "\xef\xbb\xbf", 0 },
	{ "rotterdam-c", "rotterdam", "RC", BELGIUM, 2, 3, ',', "\n", "", 2 },
};

/* The first of the towns is where most patients live. */
struct town {
	const char *postcode, *name;
};

static const struct names {
	const char *first[12], *last[16], *street[10];
	struct town towns[6];
	size_t n_home; /* of the towns, those near the hospital */
} names[] = {
	[GERMANY] = { { "Anna", "Käthe", "Gisela", "Ursula", "Monika",
			  "Hannelore", "Renate", "Ingrid", "Elke", "Ayşe",
			  "Jürgen", "Zoë" },
	    { "Müller", "Schäfer", "Groß", "Özdemir", "Weiß", "Böhm",
		"von der Heide", "Kaltenbrunn", "Löffler", "Dörr", "Oberländer",
		"Lang-Vogt", "Strohmaier", "Hügle", "Nagel", "Zipfel" },
	    { "Lindenstraße", "Am Alten Markt", "Schwarzwaldstraße",
		"Kirchgasse", "Bahnhofstraße", "Im Grün", "Goethestraße",
		"Rebweg", "Mühlenweg", "Sonnhalde" },
	    { { "79102", "Freiburg" }, { "79312", "Emmendingen" },
		{ "77652", "Offenburg" }, { "78050", "Villingen" },
		{ "88212", "Ravensburg" }, { "89073", "Ulm" } },
	    4 },
	[NETHERLANDS] = { { "Johanna", "Maria", "Cornelia", "Wilhelmina",
			      "Geertruida", "Hendrika", "Sjaantje", "Trijntje",
			      "Loes", "Fenna", "Fatima", "Renée" },
	    { "de Vries", "van den Berg", "Jansen", "Bakker", "van 't Hof",
		"Visser", "Smit", "Mulder", "de Boer", "Dijkstra",
		"van der Linden", "Kuijpers", "Hoekstra", "El Amrani",
		"Verhoeven", "Coëlho" },
	    { "Coolsingel", "Nieuwe Binnenweg", "Kerkstraat", "Dorpsstraat",
		"Molenweg", "Prins Hendrikkade", "Oostzeedijk", "Wilgenlaan",
		"Schoolstraat", "'s-Gravendijkwal" },
	    { { "3012 AB", "Rotterdam" }, { "3067 CK", "Rotterdam" },
		{ "3111 HN", "Schiedam" }, { "3311 JT", "Dordrecht" },
		{ "2611 GV", "Delft" }, { "2801 XE", "Gouda" } },
	    4 },
	[BELGIUM] = { { "Marie", "Jeanne", "Godelieve", "Monique", "Lutgarde",
			  "Hélène", "Simonne", "Paula", "Thérèse", "Rosa",
			  "Nadia", "Noëlle" },
	    { "Peeters", "Janssens", "Dubois", "Lambert", "D'Hondt", "Maes",
		"Claes", "Vandenbroucke", "Lefèvre", "Wouters", "De Smet",
		"Goossens", "Van Acker", "Benali", "Hermans", "Leroy" },
	    { "Meir", "Kerkstraat", "Stationsstraat", "Rue de la Gare",
		"Groenstraat", "Nieuwstraat", "Veldstraat", "Hoogstraat",
		"Lange Lozanastraat", "Place du Marché" },
	    { { "2000", "Antwerpen" }, { "2018", "Antwerpen" },
		{ "2800", "Mechelen" }, { "2300", "Turnhout" },
		{ "3000", "Leuven" }, { "3500", "Hasselt" } },
	    4 },
};

/* Clinical values, as text; the order is that of patients.csv from age on. */
enum { AGE, MENO, SIZE, GRADE3, NODES, PGR, ER, HORMON, N_CLINICAL };

struct patient {
	char line[LINE_MAX_BYTES];
	const char *cohort, *time, *status, *clinical[N_CLINICAL];
};

/* The invented half. */
struct person {
	char name[96], record[24], address[160], postcode[16], phone[32],
	    email[96], birth[11], diagnosis[11], last_visit[11];
};

static uint64_t state;

static _Noreturn void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("hospitals: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* splitmix64 */
static uint64_t
next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t
below(size_t n)
{
	return (size_t)(next_random() % n);
}

static bool
leap(long year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1 January 1800 as YYYY-MM-DD. */
static void
date_text(long day, char out[11])
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	unsigned year = 1800, month = 0;

	while (day >= 365 + leap(year))
		day -= 365 + leap(year++);
	while (day >= lengths[month] + (month == 1 && leap(year))) {
		day -= lengths[month] + (month == 1 && leap(year));
		month++;
	}
	snprintf(out, 11, "%04u-%02u-%02u", year % 10000, month % 12 + 1,
	    (unsigned)day % 31 + 1);
}

/* The same day so many years earlier. */
static long
years_before(long day, long years)
{
	char text[11];
	long year;

	date_text(day, text);
	year = strtol(text, NULL, 10);
	for (long y = year - years; y < year; y++)
		day -= 365 + leap(y + (strcmp(text + 5, "02-29") > 0));
	return day;
}

static void add(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
add(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + len, size - len, fmt, ap);
	va_end(ap);
}

/* Letters only: an address that a mail system would take. */
static void
email_part(char *out, size_t size, const char *name)
{
	for (; *name != '\0'; name++)
		if (isascii((unsigned char)*name) &&
		    isalpha((unsigned char)*name))
			add(out, size, "%c", tolower((unsigned char)*name));
}

static void
invent_address(const struct site *site, const struct names *n, struct person *p)
{
	static const char *const care_of[] = { "c/o Pension \"Sonne\", ",
		"Hof 't Anker, ", "Résidence \"Les Tilleuls\", " };
	/* One patient in eight lives further away. */
	size_t t = below(8) > 0
	    ? below(n->n_home)
	    : n->n_home + below(nitems(n->towns) - n->n_home);
	const struct town *town = &n->towns[t];
	const char *street = n->street[below(nitems(n->street))];
	size_t number = 1 + below(140);

	p->address[0] = p->phone[0] = '\0';
	snprintf(p->postcode, sizeof(p->postcode), "%s", town->postcode);
	if (below(20) == 0)
		add(p->address, sizeof(p->address), "%s",
		    care_of[site->country]);
	add(p->address, sizeof(p->address), "%s %zu%s", street, number,
	    below(9) == 0 ? " b" : "");
	add(p->address, sizeof(p->address), "%s%s %s",
	    below(12) == 0 ? "\n" : ", ", town->postcode, town->name);
	if (below(30) == 0)
		return; /* no telephone */
	if (site->country == GERMANY)
		add(p->phone, sizeof(p->phone), "+49 761 %03zu %04zu",
		    below(1000), below(10000));
	else if (site->country == NETHERLANDS)
		add(p->phone, sizeof(p->phone), "+31 (0)10 %03zu %02zu %02zu",
		    below(1000), below(100), below(100));
	else
		add(p->phone, sizeof(p->phone), "03/%03zu.%02zu.%02zu",
		    below(1000), below(100), below(100));
}

static void
invent(const struct site *site, const struct patient *patient, size_t serial,
    struct person *p)
{
	const struct names *n = &names[site->country];
	const char *first = n->first[below(nitems(n->first))];
	const char *last = n->last[below(nitems(n->last))];
	long follow_up = strtol(patient->time, NULL, 10);
	long age = strtol(patient->clinical[AGE], NULL, 10);
	/* 1984 to 1989, or 1978 to 1989: the last visits then end in 2009. */
	long diagnosis = site->country == GERMANY ? 67204 + (long)below(2190)
						  : 65012 + (long)below(4380);

	snprintf(p->name, sizeof(p->name), "%s, %s", last, first);
	invent_address(site, n, p);
	p->email[0] = '\0';
	email_part(p->email, sizeof(p->email), first);
	add(p->email, sizeof(p->email), ".");
	email_part(p->email, sizeof(p->email), last);
	add(p->email, sizeof(p->email), "%zu@mail.example", below(1000));
	if (below(3) == 0)
		p->email[0] = '\0'; /* many patients have none */
	date_text(diagnosis, p->diagnosis);
	date_text(diagnosis + follow_up, p->last_visit);
	/* Not the last day of that year of age, so that leap days do not
	   matter. */
	date_text(years_before(diagnosis, age) - (long)below(360), p->birth);
	snprintf(p->record, sizeof(p->record), "%s-%.4s-%05zu", site->records,
	    p->diagnosis, serial * 7 + below(7));
}

static void
put_cell(FILE *f, const struct site *site, const char *cell, bool last)
{
	char special[] = { site->separator, '"', '\n', '\0' };
	bool quote = strpbrk(cell, special) != NULL;

	if (quote)
		fputc('"', f);
	for (; *cell != '\0'; cell++) {
		if (*cell == '"')
			fputc('"', f);
		/* Inside a cell as between rows. */
		if (*cell == '\n')
			fputs(site->line_end, f);
		else
			fputc(*cell, f);
	}
	if (quote)
		fputc('"', f);
	if (last)
		fputs(site->line_end, f);
	else
		fputc(site->separator, f);
}

static void
put_row(FILE *f, const struct site *site, const struct patient *patient,
    const struct person *p)
{
	const char *cells[] = { p->record, p->name, p->birth, p->address,
		p->postcode, p->phone, p->email, p->diagnosis, p->last_visit,
		patient->status };

	for (size_t i = 0; i < nitems(cells); i++)
		put_cell(f, site, cells[i], false);
	for (size_t i = 0; i < N_CLINICAL; i++)
		put_cell(f, site, patient->clinical[i], i + 1 == N_CLINICAL);
}

/* One to a line; of an address of two lines the first. */
static void
put_identifiers(FILE *f, const struct person *p)
{
	const char *texts[] = { p->name, p->record, p->address, p->phone,
		p->email, p->birth, p->diagnosis, p->last_visit };

	for (size_t i = 0; i < nitems(texts); i++)
		if (*texts[i] != '\0')
			fprintf(f, "%.*s\n", (int)strcspn(texts[i], "\n"),
			    texts[i]);
}

/*
 * Real values of another patient, one of them gone; after INCOMPLETE_ROWS such
 * rows, one of them senseless.
 */
static void
put_spoilt(FILE *f, const struct site *site, const struct patient *patient,
    size_t serial, size_t nth, bool identifiers)
{
	static const int gone[INCOMPLETE_ROWS] = { NODES, GRADE3, PGR, ER, SIZE,
		NODES };
	struct patient spoilt = *patient;
	struct person p;

	invent(site, patient, serial, &p);
	if (nth < INCOMPLETE_ROWS)
		spoilt.clinical[gone[nth]] = nth % 2 == 0 ? "NA" : "";
	else if (nth == INCOMPLETE_ROWS)
		spoilt.clinical[SIZE] = "medium";
	else
		snprintf(p.birth, sizeof(p.birth), "1931-02-30");
	if (identifiers)
		put_identifiers(f, &p);
	else
		put_row(f, site, &spoilt, &p);
}

static void
put_site(FILE *f, const struct site *site, const struct patient *patients,
    size_t n_patients, bool identifiers)
{
	static const char *const header[] = { "record_number", "name",
		"birth_date", "address", "postcode", "telephone", "email",
		"diagnosis_date", "last_visit_date", "status", "age", "meno",
		"size", "grade3", "nodes", "pgr", "er", "hormon" };
	size_t turn = 0, serial = 0, spoilt = 0, of_site = 0;

	state = SEED + (uint64_t)(site - sites);
	if (!identifiers) {
		fputs(site->bom, f);
		for (size_t i = 0; i < nitems(header); i++)
			put_cell(f, site, header[i], i + 1 == nitems(header));
	}
	for (size_t i = 0; i < n_patients; i++) {
		const struct patient *patient = &patients[i];
		struct person p;

		if (strcmp(patient->cohort, site->cohort) != 0 ||
		    turn++ % site->of != site->turn)
			continue;
		invent(site, patient, ++serial, &p);
		if (identifiers)
			put_identifiers(f, &p);
		else
			put_row(f, site, patient, &p);
		if (++of_site % 97 != 0 ||
		    spoilt == INCOMPLETE_ROWS + site->rejected)
			continue;
		put_spoilt(f, site, patient, ++serial, spoilt++, identifiers);
	}
}

static size_t
load(const char *path, struct patient **out)
{
	struct patient *all = NULL;
	size_t n = 0, cap = 0;
	char line[LINE_MAX_BYTES];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (n == cap) {
			cap = cap == 0 ? 4096 : 2 * cap;
			if ((all = realloc(all, cap * sizeof(*all))) == NULL)
				die("out of memory");
		}
		memcpy(all[n++].line, line, sizeof(line));
	}
	fclose(f);
	for (size_t i = 0; i < n; i++) {
		struct patient *p = &all[i];
		char *rest = p->line;

		rest[strcspn(rest, "\n")] = '\0';
		p->cohort = strsep(&rest, ",");
		p->time = strsep(&rest, ",");
		p->status = strsep(&rest, ",");
		for (size_t k = 0; k < N_CLINICAL; k++)
			p->clinical[k] = strsep(&rest, ",");
		if (p->clinical[N_CLINICAL - 1] == NULL || rest != NULL)
			die("%s:%zu: expected %d values", path, i + 1,
			    3 + N_CLINICAL);
	}
	*out = all; /* its first row is the header: of no cohort */
	return n;
}

int
main(int argc, char **argv)
{
	bool identifiers = argc > 1 && strcmp(argv[1], "--identifiers") == 0;
	struct patient *patients;
	size_t n;

	if (argc != 3)
		die("usage: hospitals PATIENTS.csv DIR\n"
		    "       hospitals --identifiers PATIENTS.csv");
	n = load(argv[identifiers ? 2 : 1], &patients);
	for (size_t i = 0; i < nitems(sites); i++) {
		FILE *f = stdout;
		char path[4096];

		if (!identifiers) {
			snprintf(path, sizeof(path), "%s/%s.csv", argv[2],
			    sites[i].name);
			if ((f = fopen(path, "we")) == NULL)
				die("%s: %s", path, strerror(errno));
		}
		put_site(f, &sites[i], patients, n, identifiers);
		if (ferror(f) || fflush(f) != 0 || (!identifiers && fclose(f)))
			die("%s: %s", identifiers ? "output" : path,
			    strerror(errno));
	}
	free(patients);
	return 0;
}
