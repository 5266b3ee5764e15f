#include "config.h"

#include "anonymize/detect.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/catalogue.h"
#include "common/macros.h"
#include "study/study.h"
#include "study/zip3.h"

#define CELL_MAX 128 /* bytes; longer ones are text, not an identifier */
#define DIGITS_MAX 34
#define CELLS_MIN 20 /* fewer numbers in a row are chance */

/* The share of cells that makes a column one of a kind.  What is hardly ever
   chance needs few. */
static const struct kind {
	const char *word;
	double share;
} kinds[DETECT_KINDS] = {
	[DETECT_NAME] = { N_("names of people"), 0.8 },
	[DETECT_RECORD] = { N_("record numbers"), 0.9 },
	[DETECT_EMAIL] = { N_("e-mail addresses"), 0.02 },
	[DETECT_PHONE] = { N_("telephone numbers"), 0.5 },
	[DETECT_NATIONAL] = { N_("national identifiers"), 0.8 },
	[DETECT_IBAN] = { N_("bank accounts (IBAN)"), 0.02 },
	[DETECT_IP] = { N_("IP addresses"), 0.02 },
	[DETECT_URL] = { N_("web addresses"), 0.02 },
	[DETECT_DATE] = { N_("dates"), 0.8 },
	[DETECT_POSTCODE] = { N_("postcodes"), 0.8 },
	[DETECT_COORDINATES] = { N_("coordinates"), 0.5 },
	[DETECT_ADDRESS] = { N_("addresses"), 0.5 },
};

/* The cell's digits; how many, or 0 if there is anything but digits and
   separators. */
static size_t
digits_of(const char *s, char out[DIGITS_MAX + 1])
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s >= '0' && *s <= '9' && n < DIGITS_MAX)
			out[n++] = *s;
		else if (strchr(" .-/", *s) == NULL)
			return 0;
	}
	out[n] = '\0';
	return n;
}

static unsigned
weighted(const char *d, const char *weights)
{
	unsigned sum = 0;

	for (; *weights != '\0'; d++, weights++)
		sum += (unsigned)(*d - '0') *
		    (unsigned)(*weights == 'A' ? 10 : *weights - '0');
	return sum;
}

/* Germany's tax number: ISO 7064, MOD 11,10. */
static bool
is_steuer_id(const char *d)
{
	unsigned p = 10;

	for (size_t i = 0; i < 10; i++) {
		unsigned s = (p + (unsigned)(d[i] - '0')) % 10;

		p = 2 * (s == 0 ? 10 : s) % 11;
	}
	return d[0] != '0' && (11 - p) % 10 == (unsigned)(d[10] - '0');
}

static bool
is_chinese(const char *s)
{
	static const char weights[] = { 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10,
		5, 8, 4, 2 };
	unsigned sum = 0;

	if (strlen(s) != 18 || strspn(s, "0123456789") < 17)
		return false;
	for (size_t i = 0; i < 17; i++)
		sum += (unsigned)(s[i] - '0') * (unsigned)weights[i];
	return toupper((unsigned char)s[17]) == "10X98765432"[sum % 11];
}

static bool
is_spanish(const char *s)
{
	unsigned n = 0;

	if (strlen(s) != 9 || strspn(s, "0123456789") != 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		n = 10 * n + (unsigned)(s[i] - '0');
	return toupper((unsigned char)s[8]) ==
	    "TRWAGMYFPDXBNJZSQVHLCKE"[n % 23];
}

static bool
is_national(const char *s)
{
	char d[DIGITS_MAX + 1];
	size_t n;

	if (is_chinese(s) || is_spanish(s))
		return true;
	if ((n = digits_of(s, d)) == 0 || strspn(d, "0") == n)
		return false;
	/* United States: no check digit, but a shape of its own. */
	if (strlen(s) == 11 && s[3] == '-' && s[6] == '-' && n == 9)
		return true;
	if (n == 9) /* Netherlands */
		return (weighted(d, "98765432") + 10 * (unsigned)(d[8] - '0')) %
		    11 ==
		    0;
	if (n == 10) { /* Austria; the United Kingdom's NHS */
		unsigned at = weighted(d, "379") + weighted(d + 4, "584216");
		unsigned nhs =
		    weighted(d, "A98765432") + (unsigned)(d[9] - '0');

		return (d[0] != '0' && at % 11 == (unsigned)(d[3] - '0')) ||
		    nhs % 11 == 0;
	}
	if (n == 11)
		return is_steuer_id(d);
	return n == 13 && strncmp(d, "756", 3) == 0 && /* Switzerland */
	    weighted(d, "1313131313131") % 10 == 0;
}

/* ISO 13616: letters are 10 to 35, the first four go last, modulo 97 is 1. */
static bool
is_iban(const char *s)
{
	char c[DIGITS_MAX + 1];
	unsigned rest = 0;
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s == ' ')
			continue;
		if (!isalnum((unsigned char)*s) || n == DIGITS_MAX)
			return false;
		c[n++] = (char)toupper((unsigned char)*s);
	}
	if (n < 15 || !isalpha((unsigned char)c[0]) ||
	    !isalpha((unsigned char)c[1]) || !isdigit((unsigned char)c[2]) ||
	    !isdigit((unsigned char)c[3]))
		return false;
	for (size_t i = 0; i < n; i++) {
		char x = c[(i + 4) % n];

		rest = isdigit((unsigned char)x)
		    ? (10 * rest + (unsigned)(x - '0')) % 97
		    : (100 * rest + (unsigned)(x - 'A') + 10) % 97;
	}
	return rest == 1;
}

static bool
is_email(const char *s)
{
	const char *at = strchr(s, '@'), *dot;

	return at != NULL && at > s && strchr(at + 1, '@') == NULL &&
	    strpbrk(s, " ,;") == NULL && (dot = strrchr(at, '.')) != NULL &&
	    dot > at + 1 && strlen(dot) > 2;
}

static bool
is_url(const char *s)
{
	return strncasecmp(s, "http://", 7) == 0 ||
	    strncasecmp(s, "https://", 8) == 0 ||
	    strncasecmp(s, "www.", 4) == 0;
}

static bool
is_ip(const char *s)
{
	size_t parts = 0;

	if (strspn(s, "0123456789abcdefABCDEF:") == strlen(s)) {
		for (const char *p = s; *p != '\0'; p++)
			parts += *p == ':';
		return parts == 7 || (parts >= 2 && strstr(s, "::") != NULL);
	}
	for (; parts < 4; parts++) {
		size_t n = strspn(s, "0123456789");

		if (n == 0 || n > 3 || (n == 3 && strncmp(s, "255", 3) > 0) ||
		    s[n] != (parts < 3 ? '.' : '\0'))
			return false;
		s += n + 1;
	}
	return true;
}

/* International, or national with a leading 0 and separators. */
static bool
is_phone(const char *s)
{
	size_t digits = 0, separators = 0;

	for (const char *p = s; *p != '\0'; p++) {
		if (isdigit((unsigned char)*p))
			digits++;
		else if (strchr(" -/().", *p) != NULL)
			separators++;
		else if (*p != '+' || p != s)
			return false;
	}
	return digits >= 7 && digits <= 15 &&
	    (*s == '+' || ((*s == '0' || *s == '(') && separators > 0) ||
		(digits == 10 && separators >= 2));
}

static bool
is_date(const char *s)
{
	static const char *const formats[] = { "YYYY-MM-DD", "DD.MM.YYYY",
		"DD/MM/YYYY", "MM/DD/YYYY", "YYYY/MM/DD" };
	size_t n = strcspn(s, "T ");
	char dashed[11];
	int64_t day;

	if (n == 8 && strspn(s, "0123456789") == 8 && s[8] == '\0' &&
	    (strncmp(s, "19", 2) == 0 || strncmp(s, "20", 2) == 0)) {
		memcpy(dashed,
		    (const char[]){ s[0], s[1], s[2], s[3], '-', s[4], s[5],
			'-', s[6], s[7], '\0' },
		    sizeof(dashed));
		return study_date("YYYY-MM-DD", dashed, 10, &day) == 0;
	}
	for (size_t i = 0; i < nitems(formats); i++)
		if (study_date(formats[i], s, n, &day) == 0)
			return true;
	return false;
}

/* 5 digits, or ZIP+4, or the shapes of the United Kingdom and the
   Netherlands. */
static bool
is_postcode(const char *s)
{
	size_t n = strlen(s), d = strspn(s, "0123456789");

	if (d == 5)
		return n == 5 || (n == 10 && s[5] == '-');
	if (d == 4 && n == 7 && s[4] == ' ')
		return isupper((unsigned char)s[5]) &&
		    isupper((unsigned char)s[6]);
	return d == 0 && n >= 6 && n <= 8 && s[n - 4] == ' ' &&
	    isdigit((unsigned char)s[n - 3]) &&
	    isupper((unsigned char)s[n - 2]) &&
	    isupper((unsigned char)s[n - 1]) && isupper((unsigned char)*s);
}

/* Two numbers with three decimals or more, in degrees. */
static bool
is_coordinates(const char *s)
{
	const char *second = strpbrk(s, ", ;");
	const char *dot1 = strchr(s, '.'), *dot2;

	if (second == NULL || dot1 == NULL || dot1 > second)
		return false;
	second += strspn(second, ", ;");
	dot2 = strchr(second, '.');
	return dot2 != NULL && strspn(s, "+-0123456789., ;") == strlen(s) &&
	    strspn(dot1 + 1, "0123456789") >= 3 &&
	    strspn(dot2 + 1, "0123456789") >= 3 && dot1 - s <= 4 &&
	    dot2 - second <= 4;
}

/* Two to four words that begin with a capital; not all capitals. */
static bool
is_name(const char *s)
{
	size_t words = 0;
	bool small = false;

	while (*s != '\0') {
		if (!isupper((unsigned char)*s) && (unsigned char)*s < 0x80)
			return false;
		words++;
		for (; *s != '\0' && *s != ' '; s++) {
			small = small || islower((unsigned char)*s);
			if (!isalpha((unsigned char)*s) &&
			    (unsigned char)*s < 0x80 &&
			    strchr("-'.,", *s) == NULL)
				return false;
		}
		s += strspn(s, " ");
	}
	return words >= 2 && words <= 4 && small;
}

/* "Hauptstr. 12, 01067 Dresden": a number, and a postcode before a place. */
static bool
is_address(const char *s)
{
	const char *comma = strchr(s, ','), *code;
	size_t n;

	if (comma == NULL || strcspn(s, "0123456789") > (size_t)(comma - s))
		return false;
	code = comma + 1 + strspn(comma + 1, " ");
	n = strspn(code, "0123456789");
	return (n == 4 || n == 5) && code[n] == ' ' &&
	    (isupper((unsigned char)code[n + 1]) ||
		(unsigned char)code[n + 1] >= 0x80);
}

static bool
is_next(struct detect *d, const char *s)
{
	double v = 0;
	bool next;

	if (strlen(s) > 15 || strspn(s, "0123456789") != strlen(s))
		return false;
	for (; *s != '\0'; s++)
		v = 10 * v + (*s - '0');
	next = v == d->last + 1;
	d->last = v;
	return next;
}

/* Characters of which a cell has one at least. */
enum { DIGIT = 1, BLANK = 2, AT = 4, DOT = 8, COLON = 16 };

static unsigned
characters(const char *s, size_t len)
{
	static const uint8_t kind[256] = {
		['0'] = DIGIT,
		['1'] = DIGIT,
		['2'] = DIGIT,
		['3'] = DIGIT,
		['4'] = DIGIT,
		['5'] = DIGIT,
		['6'] = DIGIT,
		['7'] = DIGIT,
		['8'] = DIGIT,
		['9'] = DIGIT,
		[' '] = BLANK,
		['@'] = AT,
		['.'] = DOT,
		[':'] = COLON,
	};
	unsigned found = 0;

	for (size_t i = 0; i < len; i++)
		found |= kind[(uint8_t)s[i]];
	return found;
}

void
detect_cell(struct detect *d, unsigned which, const char *text, size_t len)
{
	/* What is looked at only if the cell is that long and has one of
	   these characters: most cells are neither. */
	static const struct {
		bool (*is)(const char *);
		size_t len;
		unsigned any;
	} looks[DETECT_KINDS] = {
		[DETECT_NAME] = { is_name, 3, BLANK },
		[DETECT_EMAIL] = { is_email, 6, AT },
		[DETECT_PHONE] = { is_phone, 7, DIGIT },
		[DETECT_NATIONAL] = { is_national, 9, DIGIT },
		[DETECT_IBAN] = { is_iban, 15, DIGIT },
		[DETECT_IP] = { is_ip, 2, DOT | COLON },
		[DETECT_URL] = { is_url, 4, DOT | COLON },
		[DETECT_DATE] = { is_date, 8, DIGIT },
		[DETECT_POSTCODE] = { is_postcode, 5, DIGIT },
		[DETECT_COORDINATES] = { is_coordinates, 9, DOT },
		[DETECT_ADDRESS] = { is_address, 10, DIGIT },
	};
	char copy[CELL_MAX + 1];
	const char *cell = text;
	unsigned found;

	if (len == 0)
		return;
	d->cells++;
	if (len > CELL_MAX)
		return;
	found = characters(text, len);
	if (text[len] != '\0') {
		memcpy(copy, text, len);
		copy[len] = '\0';
		cell = copy;
	}
	for (size_t k = 0; k < DETECT_KINDS; k++) {
		if ((which >> k & 1) == 0)
			continue;
		if (k == DETECT_RECORD)
			d->hits[k] += is_next(d, cell);
		else if (len >= looks[k].len && (found & looks[k].any) != 0)
			d->hits[k] += looks[k].is(cell);
	}
	if (len >= 5 && (which >> DETECT_POSTCODE & 1) != 0 &&
	    is_postcode(cell) && strspn(cell, "0123456789") == 5) {
		d->zips++;
		d->small_zips += zip3_is_small(cell);
	}
	if (cell == copy)
		explicit_bzero(copy, sizeof(copy));
}

bool
detect_found(const struct detect *d, enum detect_kind kind)
{
	if (d->hits[kind] == 0 ||
	    (kind == DETECT_RECORD && d->cells < CELLS_MIN))
		return false;
	return (double)d->hits[kind] >= kinds[kind].share * (double)d->cells;
}

unsigned
detect_header(const char *name)
{
	static const struct {
		const char *part;
		enum detect_kind kind;
	} parts[] = {
		{ "surname", DETECT_NAME },
		{ "lastname", DETECT_NAME },
		{ "last_name", DETECT_NAME },
		{ "firstname", DETECT_NAME },
		{ "first_name", DETECT_NAME },
		{ "vorname", DETECT_NAME },
		{ "nachname", DETECT_NAME },
		{ "full_name", DETECT_NAME },
		{ "fullname", DETECT_NAME },
		{ "given_name", DETECT_NAME },
		{ "family_name", DETECT_NAME },
		{ "patient_name", DETECT_NAME },
		{ "patientname", DETECT_NAME },
		{ "mrn", DETECT_RECORD },
		{ "patient_id", DETECT_RECORD },
		{ "patientid", DETECT_RECORD },
		{ "email", DETECT_EMAIL },
		{ "e-mail", DETECT_EMAIL },
		{ "phone", DETECT_PHONE },
		{ "telefon", DETECT_PHONE },
		{ "ssn", DETECT_NATIONAL },
		{ "svnr", DETECT_NATIONAL },
		{ "insurance_id", DETECT_NATIONAL },
		{ "insurance_n", DETECT_NATIONAL },
		{ "versichertenn", DETECT_NATIONAL },
		{ "versicherungsn", DETECT_NATIONAL },
		{ "iban", DETECT_IBAN },
		{ "birthdate", DETECT_DATE },
		{ "birth_date", DETECT_DATE },
		{ "birthday", DETECT_DATE },
		{ "date_of_birth", DETECT_DATE },
		{ "geburtsdatum", DETECT_DATE },
		{ "postcode", DETECT_POSTCODE },
		{ "zipcode", DETECT_POSTCODE },
		{ "zip_code", DETECT_POSTCODE },
		{ "latitude", DETECT_COORDINATES },
		{ "longitude", DETECT_COORDINATES },
		{ "street", DETECT_ADDRESS },
		{ "strasse", DETECT_ADDRESS },
		{ "stra\303\237e", DETECT_ADDRESS },
		{ "anschrift", DETECT_ADDRESS },
		{ "home_address", DETECT_ADDRESS },
	};
	/* As a part these would be of other words, too. */
	static const struct {
		const char *whole;
		enum detect_kind kind;
	} names[] = {
		{ "name", DETECT_NAME },
		{ "dob", DETECT_DATE },
		{ "address", DETECT_ADDRESS },
		{ "adresse", DETECT_ADDRESS },
	};
	unsigned found = 0;

	for (size_t i = 0; i < nitems(parts); i++)
		if (strcasestr(name, parts[i].part) != NULL)
			found |= 1u << parts[i].kind;
	for (size_t i = 0; i < nitems(names); i++)
		if (strcasecmp(name, names[i].whole) == 0)
			found |= 1u << names[i].kind;
	return found;
}

const char *
detect_word(enum detect_kind kind)
{
	return kinds[kind].word;
}

const struct detect_harbor *
detect_harbor(void)
{
	static const struct detect_harbor items[DETECT_HARBOR] = {
		{ N_("names"), 1u << DETECT_NAME },
		{ N_("geographic units smaller than a state"),
		    1u << DETECT_POSTCODE | 1u << DETECT_COORDINATES |
			1u << DETECT_ADDRESS },
		{ N_("dates other than the year, ages over 89"),
		    1u << DETECT_DATE },
		{ N_("telephone numbers"), 1u << DETECT_PHONE },
		{ N_("fax numbers"), 1u << DETECT_PHONE },
		{ N_("e-mail addresses"), 1u << DETECT_EMAIL },
		{ N_("social security numbers"), 1u << DETECT_NATIONAL },
		{ N_("medical record numbers"), 1u << DETECT_RECORD },
		{ N_("health plan beneficiary numbers"),
		    1u << DETECT_NATIONAL },
		{ N_("account numbers"), 1u << DETECT_IBAN },
		{ N_("certificate and license numbers"), 0 },
		{ N_("vehicle identifiers and plates"), 0 },
		{ N_("device identifiers and serial numbers"), 0 },
		{ N_("web addresses (URL)"), 1u << DETECT_URL },
		{ N_("IP addresses"), 1u << DETECT_IP },
		{ N_("finger and voice prints, other biometry"), 0 },
		{ N_("full-face photographs"), 0 },
		{ N_("any other unique number or code"), 1u << DETECT_RECORD },
	};

	return items;
}
