/* SPDX-License-Identifier: MIT */
#include "fault/lib/deal.h"

#include "fault/lib/way.h"
#include "listener-tools.h"
#include "obj/parcel.h"
#include "wait/live.h"

static const char *address;
static struct folder folder;
static struct weir_listener *listener;
/* Of the test, as the one who survives. */
static int client;
static bool welcomed;
static struct weir_end *end;

/*
 * The victims
 */

static int listen_and_close(void *arg)
{
	struct weir_listener *l;

	(void)arg;
	stepper_mark_begin();
	child_check(weir_listen(&l, address, NULL) == 0);
	weir_listener_close(l);
	stepper_mark_end();
	return 0;
}

static int accept_one_client(void *arg)
{
	/* Stepping takes its time. */
	struct weir_listen_options options = { .size = sizeof(options), .patience = 600000 * MS };
	struct weir_listener *l;
	struct weir_peer peer;
	struct weir_end *mine;

	(void)arg;
	child_check(weir_listen(&l, address, &options) == 0);
	stepper_mark_begin();
	child_check(weir_accept(l, 0, WEIR_FOREVER, &mine, &peer) == 0);
	stepper_mark_end();
	return 0;
}

static int connect_once(void *arg)
{
	struct weir_end *mine;

	(void)arg;
	stepper_mark_begin();
	child_check(weir_connect(address, NULL, 0, WEIR_FOREVER, &mine) == 0);
	stepper_mark_end();
	return 0;
}

/*
 * The survivors
 */

static void nothing(void *arg)
{
	(void)arg;
}

static void say_hello(void)
{
	welcomed = false;
	client = raw_connect(address);
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(raw_hello(client, 0), 0);
}

/* What has come is ours, whole or not at all. */
static void take_end(void)
{
	struct parcel parcel;

	/* It comes in two messages, and the victim may be anywhere between them. */
	if (!welcomed)
		welcomed = raw_status(client) == WELCOME_OK;
	if (end || !welcomed || parcel_recv(client, &parcel, 0, 0) < 0)
		return;
	ck_assert_int_eq(parcel_open_end(&parcel, &end), 0);
}

static void take_end_and_say_so(void *arg)
{
	(void)arg;
	if (end)
		return;
	take_end();
	if (end)
		raw_ready(client);
}

static void close_end(void)
{
	if (!end)
		return;
	/* What a receive looks at every few milliseconds, which would be most of the time here. */
	ck_assert(live_hung_up(end->line));
	if (test_random_below(16) == 0)
		ck_assert_int_eq((int)recv_number(end, soon()), -EPIPE);
	weir_pipe_close(end);
	end = NULL;
}

/* A whole hand-shake with @l, by one process. */
static void check_serves(struct weir_listener *l)
{
	int fd = raw_connect(address);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	ck_assert_int_eq(accept_now(l, &end), -EAGAIN);
	ck_assert_int_eq(raw_welcome(fd), 0);
	ck_assert_int_eq(raw_ready(fd), 0);
	ck_assert_int_eq(accept_now(l, &end), 0);
	close(fd);
	close_end();
}

/* The next server takes over the path. */
static void check_path(void)
{
	struct weir_listener *l;

	ck_assert_int_eq(weir_listen(&l, address, NULL), 0);
	check_serves(l);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}

static void after_listen(void)
{
	check_path();
}

static void after_accept(void)
{
	take_end();
	ck_assert(raw_closed(client));
	close(client);
	close_end();
	check_path();
}

static void accept_victim(void *arg)
{
	struct weir_end *accepted;

	(void)arg;
	if (weir_accept(listener, 0, 0, &accepted, NULL) == 0) {
		ck_assert_ptr_null(end);
		end = accepted;
	}
}

static void after_connect(void)
{
	/* A victim that was quicker than its death is accepted. */
	accept_victim(NULL);
	while (fd_readable(weir_listener_fd(listener)))
		accept_victim(NULL);
	ck_assert_uint_eq(guests_in(listener, GUEST_FREE), listener->guests_max);
	close_end();
	check_serves(listener);
}

static void no_begin(void)
{
}

/*
 * Striking
 */

static const struct {
	const char *name;
	int (*victim)(void *arg);
	void (*begin)(void);	/* when the victim is at its mark */
	way_asleep *asleep;	/* while it sleeps */
	void (*after)(void);	/* when it is dead */
} deals[DEAL_COUNT] = {
	[DEAL_LISTEN] = { "listen", listen_and_close, no_begin, nothing, after_listen },
	[DEAL_ACCEPT] = { "accept", accept_one_client, say_hello, take_end_and_say_so,
			  after_accept },
	[DEAL_CONNECT] = { "connect", connect_once, no_begin, accept_victim, after_connect },
};

static uint64_t no_image(const void *arg)
{
	(void)arg;
	return 0;
}

static struct stepper start_victim(enum deal deal)
{
	struct stepper stepper = stepper_start(deals[deal].victim, NULL);

	ck_assert(stepper_run_to_begin(&stepper));
	deals[deal].begin();
	return stepper;
}

static void strike(enum deal deal, const struct way_point *point, bool into_sleep,
		   uint64_t counts[3])
{
	struct resources before = resources_begin();
	struct stepper stepper = start_victim(deal);
	struct trip trip = {
		.stepper = &stepper,
		.point = *point,
		.into_sleep = into_sleep,
		.asleep = deals[deal].asleep,
	};

	trip_begin(&trip);
	counts[trip_end(&trip)]++;
	stepper_kill(&stepper);
	deals[deal].after();
	resources_check(&before);
}

static struct way find_way(enum deal deal)
{
	static uint8_t memory[8];
	const struct way_record record = {
		.memory = memory,
		.size = sizeof(memory),
		.image = no_image,
		.asleep = deals[deal].asleep,
	};
	struct stepper stepper = start_victim(deal);
	struct way way = way_walk(&stepper, &record);

	stepper_kill(&stepper);
	deals[deal].after();
	return way;
}

static void prepare(enum deal deal)
{
	static char path[PATH_ROOM];

	folder = folder_make();
	snprintf(path, sizeof(path), "%s/s", folder.path);
	address = deal == DEAL_CONNECT ? abstract_name() : path;
	if (deal == DEAL_CONNECT)
		ck_assert_int_eq(weir_listen(&listener, address, NULL), 0);
}

void deal_strike(enum deal deal, size_t most, size_t slice, size_t slices)
{
	uint64_t counts[3] = { 0, 0, 0 };
	struct way way;

	prepare(deal);
	way = find_way(deal);
	for (size_t i = slice; i < way.count; i += slices) {
		const struct way_point *p = &way.points[i];

		/* Between two calls nothing happens that others could see. */
		if ((p->called && test_random_below(LESS) == 0) ||
		    test_random_below(way.count) < most)
			strike(deal, p, false, counts);
		if (p->slept)
			strike(deal, p, true, counts);
	}
	printf("# %s: %zu instructions, killed at %llu, ended before %llu\n", deals[deal].name,
	       way.count, (unsigned long long)counts[ARRIVED], (unsigned long long)counts[PASSED]);
	/* It does not go quite the same way each time, but mostly; with a sanitizer, at times. */
	ck_assert_uint_gt(counts[ARRIVED], (LESS > 1 ? 0 : 9) * counts[PASSED]);
	ck_assert_uint_eq(counts[ENDED], 0);
	way_free(&way);
	if (deal == DEAL_CONNECT)
		weir_listener_close(listener);
	folder_remove(&folder);
}
