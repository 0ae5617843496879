/* SPDX-License-Identifier: MIT */
#include "ring/chunk.h"

#include "ring/frame.h"

/* Bytes of free chunks that keep their memory. */
#define BYTES_KEPT (UINT32_C(4) << 20)
/* Chunks that may be used before it is asked whether some could have been given back. */
#define SWEEP_MIN 64
#define EMPTY_ONE_OF 8

/* One that was had before, so it is mapped. */
static struct weir_chunk *known(const struct tape *t, uint32_t chunk)
{
	struct store *s = t->store;

	return (struct weir_chunk *)(void *)(s->base + s->offsets[STORE_CHUNKS]) + chunk;
}

void purse_open(struct purse *p)
{
	p->chunk = CHUNK_NONE;
	p->place = UINT32_MAX;
	p->bytes = NULL;
	p->own_next = 0;
	p->search = 0;
	p->sweep_at = SWEEP_MIN;
	for (uint32_t i = 0; i < CHUNKS_OWN; i++)
		p->own[i] = CHUNK_NONE;
	for (uint32_t i = 0; i < CHUNKS_SEEN; i++)
		p->seen[i] = CHUNK_NONE;
}

/*
 * Taking
 */

/* FREE -> FILLING by us; @ret_word is what it is then. */
static bool fill(struct tape *t, uint32_t chunk, uint32_t count, uint64_t *ret_word)
{
	struct weir_chunk *c = store_chunk(t->store, chunk);
	struct pair was, filling;

	if (!c)
		return false;
	was = chunk_words(c);
	if ((was.low & CHUNK_STATE) != CHUNK_FREE)
		return false;
	filling.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) | CHUNK_FILLING |
		      (uint64_t)t->name << CHUNK_SEAT_SHIFT;
	filling.high = count;
	if (!cas_pair(&c->words, &was, filling))	/* order: CHUNK, LEDGER */
		return false;
	if (was.low & CHUNK_WARM)
		add_relaxed(&t->store->control->chunks_free, -1U);	/* relaxed: a hint */
	*ret_word = filling.low;
	return true;
}

/* What is FILLING by us, with @word, is free again. */
static void give(struct tape *t, uint32_t chunk, uint64_t word, bool warm)
{
	struct weir_chunk *c = known(t, chunk);
	uint64_t free = (word & ~(CHUNK_STATE | CHUNK_SEAT_MASK | CHUNK_WARM)) +
			CHUNK_GENERATION_ONE;

	if (warm) {
		free |= CHUNK_WARM;
		add_relaxed(&t->store->control->chunks_free, 1);	/* relaxed: a hint */
	}
	/* order: CHUNK release, to chunk_words() */
	store_release(&c->words.low, free | CHUNK_FREE);
}

static void write_down(struct tape *t, uint32_t chunk, uint32_t count)
{
	t->row = chunk + 1;
	t->row_count = count;
	/* relaxed: LEDGER, before the exchange */
	store_relaxed(&t->seat->row_count, count);
	store_relaxed(&t->seat->row, chunk + 1);	/* relaxed: as above */
}

static void cross_out(struct tape *t)
{
	t->row = 0;
	store_relaxed(&t->seat->row, 0);	/* relaxed: LEDGER, ours alone as long as we live */
}

/* Have this one, if it is free: 1, 0, or an error. */
static int try_one(struct tape *t, struct purse *p, uint32_t chunk)
{
	struct weir_chunk *c;
	uint64_t word;
	int result;

	/* What cannot be mapped now cannot for the next one either. */
	if (!store_chunk(t->store, chunk))
		return chunk < t->store->geometry.chunks ? -ENOMEM : 0;
	write_down(t, chunk, 1);
	if (!fill(t, chunk, 1, &word)) {
		cross_out(t);
		return 0;
	}
	c = known(t, chunk);
	store_relaxed(&c->first, t->put.number);	/* relaxed: known by the sealing */
	result = word & CHUNK_WARM ? 0 : store_populate_chunks(t->store, chunk, 1);
	p->bytes = result == 0 ? store_bytes(t->store, chunk, 0, t->store->chunk_size) : NULL;
	if (!p->bytes) {
		give(t, chunk, word, false);
		cross_out(t);
		return result < 0 ? result : -ENOMEM;
	}
	store_relaxed(&c->words.low, word | CHUNK_WARM);	/* relaxed: ours */
	store_relaxed(&t->seat->filling, chunk + 1);	/* relaxed: LEDGER */
	cross_out(t);
	p->chunk = chunk;
	p->place = 0;
	return 1;
}

static int try_own(struct tape *t, struct purse *p)
{
	for (uint32_t i = 0; i < CHUNKS_OWN; i++) {
		uint32_t chunk = p->own[(p->own_next + i) % CHUNKS_OWN];
		int result = chunk == CHUNK_NONE ? 0 : try_one(t, p, chunk);

		if (result != 0)
			return result;
	}
	return 0;
}

static int try_spare(struct tape *t, struct purse *p)
{
	uint32_t *spare = &t->store->control->chunk_spare;
	uint32_t chunk = load_relaxed(spare);	/* relaxed: a hint */

	if (chunk == 0)
		return 0;
	store_relaxed(spare, 0);	/* relaxed: as above */
	return try_one(t, p, chunk - 1);
}

/* relaxed: a number that only rises; what lies above is zeroes, or has come since */
static uint32_t top_of(const struct store *s)
{
	uint32_t top = load_relaxed(&s->control->chunk_top);	/* relaxed: as above */

	return top < s->geometry.chunks ? top : s->geometry.chunks;
}

static int try_below_top(struct tape *t, struct purse *p)
{
	uint32_t top = top_of(t->store);

	for (uint32_t i = 0; i < top; i++) {
		int result;

		p->search = p->search + 1 < top ? p->search + 1 : 0;
		result = try_one(t, p, p->search);
		if (result != 0)
			return result;
	}
	return 0;
}

/* @count chunks that nobody has used yet: the first, or CHUNK_NONE. */
static uint32_t rise(struct store *s, uint32_t count)
{
	uint32_t *top = &s->control->chunk_top;
	uint32_t was = load_relaxed(top);	/* relaxed: the exchange finds out */

	while (was <= s->geometry.chunks && s->geometry.chunks - was >= count)
		if (cas_seq(top, &was, was + count))	/* order: CHUNK */
			return was;
	return CHUNK_NONE;
}

static int try_new(struct tape *t, struct purse *p)
{
	uint32_t chunk = rise(t->store, 1);

	return chunk == CHUNK_NONE ? 0 : try_one(t, p, chunk);
}

int chunk_next(struct tape *t, struct purse *p)
{
	int result;

	chunk_seal(t, p);
	result = try_own(t, p);
	if (result == 0)
		result = try_spare(t, p);
	/* relaxed: a hint */
	if (result == 0 && load_relaxed(&t->store->control->chunks_free) > 0)
		result = try_below_top(t, p);
	if (result == 0 && top_of(t->store) >= p->sweep_at) {
		if (chunk_sweep(t))
			result = try_below_top(t, p);
		p->sweep_at = top_of(t->store) + top_of(t->store) / 2 + SWEEP_MIN;
	}
	if (result == 0)
		result = try_new(t, p);
	/* Emptied ones, which are in no count. */
	if (result == 0)
		result = try_below_top(t, p);
	if (result == 0 && chunk_sweep(t))
		result = try_below_top(t, p);
	if (result == 0)
		return -ENOENT;
	return result < 0 ? result : 0;
}

static void seal(struct tape *t, uint32_t chunk, uint32_t count)
{
	struct weir_chunk *c = known(t, chunk);
	struct pair was = chunk_words(c), sealed;

	/* relaxed: the number behind which we have put nothing into it */
	sealed.high = t->put.number | count;
	sealed.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) | CHUNK_SEALED;
	cas_pair(&c->words, &was, sealed);	/* order: CHUNK, to chunk_words(): its slots */
}

void chunk_seal(struct tape *t, struct purse *p)
{
	if (p->chunk == CHUNK_NONE)
		return;
	seal(t, p->chunk, 1);
	store_relaxed(&t->seat->filling, 0);	/* relaxed: LEDGER */
	p->own[p->own_next] = p->chunk;
	p->own_next = (p->own_next + 1) % CHUNKS_OWN;
	p->chunk = CHUNK_NONE;
	p->place = UINT32_MAX;
}

/*
 * Rows
 */

/* All of a row that are still ours, or part of the first, are free; the first last. */
static void undo_row(struct tape *t, uint32_t chunk, uint32_t count)
{
	struct weir_chunk *first = known(t, chunk);
	uint64_t part, word;

	if (count == 0)
		return;
	part = CHUNK_PART_OF(chunk, load_relaxed(&first->words.low));	/* relaxed: ours */
	for (uint32_t i = 1; i < count; i++) {
		struct weir_chunk *c = known(t, chunk + i);
		struct pair words = chunk_words(c);

		if (((words.low & CHUNK_STATE) == CHUNK_FILLING &&
		     CHUNK_SEAT(words.low) == t->name) ||
		    ((words.low & CHUNK_STATE) == CHUNK_PART && words.high == part))
			give(t, chunk + i, words.low, words.low & CHUNK_WARM);
	}
	word = load_relaxed(&first->words.low);	/* relaxed: ours */
	if (CHUNK_SEAT(word) == t->name)
		give(t, chunk, word, word & CHUNK_WARM);
}

/* All but the first are part of it. */
static void join(struct tape *t, uint32_t chunk, uint32_t count)
{
	/* relaxed: ours */
	uint64_t part = CHUNK_PART_OF(chunk, load_relaxed(&known(t, chunk)->words.low));

	for (uint32_t i = 1; i < count; i++) {
		struct weir_chunk *c = known(t, chunk + i);
		struct pair was = chunk_words(c), joined;

		joined.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) | CHUNK_PART;
		joined.high = part;
		cas_pair(&c->words, &was, joined);	/* order: CHUNK */
	}
}

/* Have memory for those that have none. */
static int warm_up(struct tape *t, uint32_t chunk, uint32_t count)
{
	int result = 0;

	for (uint32_t i = 0; i < count && result == 0; i++) {
		struct weir_chunk *c = known(t, chunk + i);
		uint64_t word = load_relaxed(&c->words.low);	/* relaxed: ours */

		if (word & CHUNK_WARM)
			continue;
		result = store_populate_chunks(t->store, chunk + i, 1);
		if (result == 0)
			store_relaxed(&c->words.low, word | CHUNK_WARM);	/* relaxed: ours */
	}
	return result;
}

/* 1: the row is ours; 0: it was not free; or an error. */
static int try_row(struct tape *t, uint32_t chunk, uint32_t count)
{
	uint64_t word;
	int result;

	write_down(t, chunk, count);
	for (uint32_t i = 0; i < count; i++)
		if (!fill(t, chunk + i, count, &word)) {
			undo_row(t, chunk, i);
			cross_out(t);
			return 0;
		}
	/* relaxed: known by the sealing */
	store_relaxed(&known(t, chunk)->first, t->put.number);
	result = warm_up(t, chunk, count);
	if (result == 0 &&
	    !store_bytes(t->store, chunk, 0, (uint64_t)count << t->store->geometry.chunk_shift))
		result = -ENOMEM;
	if (result < 0) {
		undo_row(t, chunk, count);
		cross_out(t);
		return result;
	}
	join(t, chunk, count);
	return 1;
}

/* How many free ones there are from @chunk on, up to @count. */
static uint32_t free_from(struct store *s, uint32_t chunk, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct weir_chunk *c = store_chunk(s, chunk + i);

		if (!c || (chunk_words(c).low & CHUNK_STATE) != CHUNK_FREE)
			return i;
	}
	return count;
}

static int find_row(struct tape *t, uint32_t count)
{
	uint32_t top = top_of(t->store), chunk = 0, n;

	while (top >= count && chunk <= top - count) {
		n = free_from(t->store, chunk, count);
		if (n == count) {
			int result = try_row(t, chunk, count);

			if (result != 0)
				return result < 0 ? result : (int)chunk;
		}
		chunk += n + 1;
	}
	return -ENOENT;
}

static int new_row(struct tape *t, uint32_t count)
{
	uint32_t chunk = rise(t->store, count);
	int result = chunk == CHUNK_NONE ? 0 : try_row(t, chunk, count);

	if (result == 0)
		return -ENOENT;
	return result < 0 ? result : (int)chunk;
}

/* One of free ones at the end of those that were used, and of some that were not. */
static int mixed_row(struct tape *t, uint32_t count)
{
	uint32_t top = top_of(t->store), old = 0;
	int result = 0;

	while (old < top && old < count && free_from(t->store, top - old - 1, 1) == 1)
		old++;
	if (old < count && rise(t->store, count - old) == top)
		result = try_row(t, top - old, count);
	if (result == 0)
		return -ENOENT;
	return result < 0 ? result : (int)(top - old);
}

/* When there seems to be none: the chunk that we fill may be in the way, and what was left. */
static int any_row(struct tape *t, struct purse *p, uint32_t count)
{
	int chunk;

	chunk_seal(t, p);
	chunk_sweep(t);
	chunk = find_row(t, count);
	return chunk == -ENOENT ? mixed_row(t, count) : chunk;
}

int chunk_row(struct tape *t, struct purse *p, uint64_t size, uint8_t **ret_bytes,
	      uint64_t *ret_body)
{
	uint64_t count = (size + t->store->chunk_size - 1) >> t->store->geometry.chunk_shift;
	int chunk;

	/* The sum above may have wrapped. */
	if (count > t->store->geometry.chunks || size > count << t->store->geometry.chunk_shift)
		return -EMSGSIZE;
	chunk = find_row(t, (uint32_t)count);
	if (chunk == -ENOENT)
		chunk = new_row(t, (uint32_t)count);
	if (chunk == -ENOENT)
		chunk = any_row(t, p, (uint32_t)count);
	if (chunk < 0)
		return chunk;
	*ret_bytes = store_bytes(t->store, (uint32_t)chunk, 0, size);
	*ret_body = BODY_LARGE | (uint64_t)chunk << BODY_CHUNK_SHIFT | size;
	return 0;
}

void chunk_row_done(struct tape *t)
{
	uint32_t row = t->row, count = t->row_count;

	if (row == 0)
		return;
	seal(t, row - 1, count);
	cross_out(t);
}

void chunk_row_undo(struct tape *t)
{
	uint32_t row = t->row, count = t->row_count;

	if (row == 0)
		return;
	undo_row(t, row - 1, count);
	cross_out(t);
}

/*
 * Giving back
 */

/* Whether a slot of segment @number in @slots holds a message of @chunk. */
static bool holds(const struct weir_slot *slots, uint64_t number, uint32_t chunk)
{
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++) {
		/* order: DONE acquire, from tape_release() */
		uint64_t state = load_acquire(&slots[i].state), what = state & SLOT_WHAT;

		if ((state & NUMBER_MASK) == number &&
		    (what == SLOT_FULL || what == SLOT_TAKEN) &&
		    BODY_CHUNK(load_relaxed(&slots[i].body)) == chunk)	/* relaxed: as the state */
			return true;
	}
	return false;
}

static bool is_done(struct store *s, uint32_t chunk, uint64_t first, uint64_t last)
{
	/* order: LOW acquire, from raise_low(): all older segments were retired */
	uint64_t low = load_acquire(&s->control->low);
	uint32_t top = store_frame_top(s);

	if ((int64_t)(last - low) < 0)
		return true;
	for (uint32_t i = 0; i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		struct weir_slot *slots;
		uint64_t word, number;

		if (!frame)
			return false;
		word = load_acquire(&frame->word);	/* order: FRAME acquire */
		number = PLACE_NUMBER(word);
		if ((word & FRAME_STATE) != FRAME_LIVE || (int64_t)(number - first) < 0 ||
		    (int64_t)(number - last) > 0)
			continue;
		slots = store_slots(s, i);
		if (!slots || holds(slots, number, chunk))
			return false;
	}
	return true;
}

static bool many_free(const struct store *s, uint32_t count)
{
	/* relaxed: a hint, and it may be wrong by a few after a death */
	int32_t free = (int32_t)load_relaxed(&s->control->chunks_free);

	return free > 0 && ((uint64_t)free << s->geometry.chunk_shift) >
				   BYTES_KEPT + ((uint64_t)count << s->geometry.chunk_shift) * 4;
}

/*
 * To empty and fill again costs as much as a thousand messages. So of what is free beyond the
 * measure every eighth loses its memory when it is given back; the rest when all is quiet.
 */
static bool is_to_be_emptied(struct tape *t, uint32_t count)
{
	return many_free(t->store, count) && ++t->given % EMPTY_ONE_OF == 0;
}

void chunk_trim(struct tape *t)
{
	uint32_t top = top_of(t->store);
	uint64_t word;

	for (uint32_t i = 0; i < top && many_free(t->store, 1); i++) {
		struct weir_chunk *c = store_chunk(t->store, i);

		if (!c || (chunk_words(c).low & (CHUNK_STATE | CHUNK_WARM)) != CHUNK_WARM)
			continue;
		/* relaxed: LEDGER, before the exchange */
		store_relaxed(&t->seat->giving_count, 1);
		store_relaxed(&t->seat->giving, i + 1);	/* relaxed: as above */
		if (fill(t, i, 1, &word)) {
			store_empty_chunks(t->store, i, 1);
			give(t, i, word, false);
		}
		store_relaxed(&t->seat->giving, 0);	/* relaxed: LEDGER */
	}
}

/* A row, or a chunk that is to be emptied: FILLING by us first, so that it is mended if we die. */
static bool give_row(struct tape *t, uint32_t chunk, struct pair was, bool empty)
{
	struct weir_chunk *c = store_chunk(t->store, chunk), *part;
	uint32_t count = CHUNK_COUNT(was.high);
	struct pair mine = { .high = count };
	uint64_t name;

	/* Damaged, or hostile. */
	if (count == 0 || count > t->store->geometry.chunks - chunk)
		return false;
	/* relaxed: LEDGER, before the exchange */
	store_relaxed(&t->seat->giving_count, count);
	store_relaxed(&t->seat->giving, chunk + 1);	/* relaxed: as above */
	mine.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) | CHUNK_FILLING |
		   (uint64_t)t->name << CHUNK_SEAT_SHIFT;
	if (!cas_pair(&c->words, &was, mine)) {		/* order: CHUNK, LEDGER */
		store_relaxed(&t->seat->giving, 0);	/* relaxed: LEDGER */
		return false;
	}
	if (empty)
		store_empty_chunks(t->store, chunk, count);
	name = CHUNK_PART_OF(chunk, mine.low);
	for (uint32_t i = 1; i < count; i++) {
		struct pair words;

		part = store_chunk(t->store, chunk + i);
		words = part ? chunk_words(part) : (struct pair){ 0, 0 };
		if ((words.low & CHUNK_STATE) == CHUNK_PART && words.high == name)
			give(t, chunk + i, words.low, !empty && (words.low & CHUNK_WARM));
	}
	give(t, chunk, mine.low, !empty && (mine.low & CHUNK_WARM));
	store_relaxed(&t->seat->giving, 0);	/* relaxed: LEDGER */
	return true;
}

bool chunk_give_back(struct tape *t, uint32_t chunk)
{
	struct weir_chunk *c = store_chunk(t->store, chunk);
	struct pair was, free = { 0, 0 };
	bool empty;

	if (!c)
		return false;
	was = chunk_words(c);
	/* relaxed: written before the sealing; of a later one the exchange finds out */
	if ((was.low & CHUNK_STATE) != CHUNK_SEALED ||
	    !is_done(t->store, chunk, load_relaxed(&c->first), PLACE_NUMBER(was.high)))
		return false;
	empty = is_to_be_emptied(t, CHUNK_COUNT(was.high));
	if (empty || CHUNK_COUNT(was.high) != 1)
		return give_row(t, chunk, was, empty);
	free.low = ((was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) + CHUNK_GENERATION_ONE) |
		   CHUNK_FREE;
	if (!cas_pair(&c->words, &was, free))	/* order: CHUNK */
		return false;
	if (free.low & CHUNK_WARM)
		add_relaxed(&t->store->control->chunks_free, 1);	/* relaxed: a hint */
	store_relaxed(&t->store->control->chunk_spare, chunk + 1);	/* relaxed: a hint */
	return true;
}

void chunk_saw_slow(struct tape *t, struct purse *p, uint64_t body)
{
	uint32_t chunk = BODY_CHUNK(body), *seen = &p->seen[chunk % CHUNKS_SEEN], other = *seen;

	if (body & BODY_LARGE) {
		chunk_give_back(t, chunk);
		return;
	}
	*seen = chunk;
	if (other != CHUNK_NONE && other != chunk)
		chunk_give_back(t, other);
}

bool chunk_forget(struct tape *t, struct purse *p)
{
	bool any = false;

	for (uint32_t i = 0; i < CHUNKS_SEEN; i++)
		if (p->seen[i] != CHUNK_NONE && chunk_give_back(t, p->seen[i])) {
			p->seen[i] = CHUNK_NONE;
			any = true;
		}
	return any;
}

bool chunk_sweep(struct tape *t)
{
	uint32_t top = top_of(t->store);
	bool any = false;

	frame_sweep(t);
	for (uint32_t i = 0; i < top; i++)
		any |= chunk_give_back(t, i);
	return any;
}
