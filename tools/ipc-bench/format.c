/* SPDX-License-Identifier: MIT */
#include "format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct unit {
	double factor;
	const char *name;
};

static const struct unit counts[] = {
	{ 1e9, "G" }, { 1e6, "M" }, { 1e3, "K" }, { 1, "" }, { 0, NULL }
};

static const struct unit times[] = {
	{ 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" }, { 0, NULL }
};

/* The largest unit that leaves at least 1; 999.6 counts as 1000. */
static const struct unit *unit_of(const struct unit *units, double value)
{
	while (units[1].name && fabs(value) < 0.9995 * units->factor)
		units++;
	return units;
}

/* Three digits, without an exponent. */
static int digits(double value, char *text, size_t size)
{
	int decimals = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;

	if (value == 0)
		decimals = 0;
	return snprintf(text, size, "%.*f", decimals, value);
}

static const char *with_unit(const struct unit *units, double value, char text[TEXT_MAX])
{
	const struct unit *unit = unit_of(units, value);
	int used;

	if (!isfinite(value)) {
		snprintf(text, TEXT_MAX, "?");
		return text;
	}
	used = digits(value / unit->factor, text, TEXT_MAX);
	snprintf(text + used, TEXT_MAX - (size_t)used, "%s%s", unit->name[0] ? " " : "",
		 unit->name);
	return text;
}

const char *format_count(double value, char text[TEXT_MAX])
{
	return with_unit(counts, value, text);
}

const char *format_ns(double ns, char text[TEXT_MAX])
{
	return with_unit(times, ns, text);
}

const char *format_size(size_t bytes, char text[TEXT_MAX])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB" };
	size_t i = 0;

	while (i < 3 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(text, TEXT_MAX, "%zu %s", bytes, names[i]);
	return text;
}

const char *format_ratio(double ratio, char text[TEXT_MAX])
{
	int decimals = ratio < 0.00995 ? 4 : ratio < 0.995 ? 2 : ratio < 9.95 ? 1 : 0;

	if (isfinite(ratio))
		snprintf(text, TEXT_MAX, "%.*fx", decimals, ratio);
	else
		snprintf(text, TEXT_MAX, "?x");
	return text;
}

static const char *with_ci(const struct unit *units, const struct stats_median *m,
			   const char *after, char text[TEXT_MAX])
{
	double factor = unit_of(units, m->median)->factor;
	char low[TEXT_MAX], high[TEXT_MAX];
	size_t used;

	with_unit(units, m->median, text);
	used = strlen(text);
	used += (size_t)snprintf(text + used, TEXT_MAX - used, "%s", after);
	if (!isfinite(m->low) || !isfinite(m->high))
		return text;
	digits(m->low / factor, low, sizeof(low));
	digits(m->high / factor, high, sizeof(high));
	snprintf(text + used, TEXT_MAX - used, " [%.20s-%.20s]", low, high);
	return text;
}

const char *format_rate_ci(const struct stats_median *rate, char text[TEXT_MAX])
{
	return with_ci(counts, rate, "/s", text);
}

const char *format_ns_ci(const struct stats_median *ns, char text[TEXT_MAX])
{
	return with_ci(times, ns, "", text);
}

const char *format_wait(enum wait wait)
{
	static const char *const names[WAITS] = { "as it comes", "polling", "sleeping",
						  "adaptive" };

	return names[wait];
}
