/* SPDX-License-Identifier: MIT */
/*
 * The chunks of the queue (doc/design/queue.md): filling, sealing, rows, giving back what no slot
 * names any more, and the cleaning up after a seat that had something in hand.
 *
 * The tape is as it is without frames: a segment is one slot, segment i + 1 is slot i, and none is
 * used again; tape.pml has the rest. Each access of shared memory is one step, and before each that
 * changes something its process may die. To look through the slots for those that name a sealed chunk is
 * one step: that one does not is final. What is read out of a chunk is compared with what was put.
 */
#ifndef P
#define P 1		/* writers, of K messages each */
#endif
#ifndef K
#define K 3
#endif
#ifndef C
#define C 1		/* readers */
#endif
#ifndef B
#define B 2		/* chunks */
#endif
#ifndef CAP
#define CAP 1		/* messages in one */
#endif
#ifndef LARGE
#define LARGE 0		/* which messages of a writer need a row of two: a bit each */
#endif
#ifndef R
#define R 1		/* cleaners at once */
#endif
#ifndef MAXC
#define MAXC 1		/* deaths */
#endif

#define SEATS		(P + C)
#define SLOTS		(P * K)
#define NONE		255

/* slot: what 2, turn 2, seat 3; body: chunk 3, place 2, large 1 */
#define EMPTY		0
#define FULL		1
#define TAKEN		2
#define DONE		3
#define WHAT(w)		((w) & 3)
#define TURN(w)		((w) >> 2 & 3)
#define SEAT(w)		((w) >> 4)
#define STATE(what, turn, seat)	((seat) << 4 | ((turn) & 3) << 2 | (what))
#define BODY(c, place, large)	((c) << 3 | (place) << 1 | (large))
#define CHUNK(b)	((b) >> 3)
#define PLACE(b)	((b) >> 1 & 3)
#define ISLARGE(b)	((b) & 1)

/* chunk: state 2, seat 3, generation 3; second word: last 4, count 2; or first 3, generation 3 */
#define FREE		0
#define FILLING		1
#define SEALED		2
#define PART		3
#define CSTATE(w)	((w) & 3)
#define CSEAT(w)	((w) >> 2 & 7)
#define CGEN(w)		((w) >> 5)
#define CWORD(st, seat, gen)	(((gen) & 7) << 5 | (seat) << 2 | (st))
#define SECOND(last, count)	((last) << 2 | (count))
#define LAST(s)		((s) >> 2)
#define COUNT(s)	((s) & 3)
#define PARTOF(c, w)	((c) << 3 | CGEN(w))

/* what is written down: chunk and how many */
#define ROW(c, count)	((c) << 2 | (count))
#define ROWC(r)		((r) >> 2)
#define ROWN(r)		((r) & 3)

byte slot[SLOTS], body[SLOTS];
byte tail;		/* a hint: so many are used, or more */
byte requeued;
byte word[B], second[B], first[B];
byte memory[B * CAP];

bit used[SEATS];
byte gen[SEATS];
byte filling[SEATS], row[SEATS], giving[SEATS];

bit dead[SEATS];
byte crashes, ncomm, ndeliv, wdone, rdone;
bit comm[SLOTS];
byte deliv[SLOTS];

#define ALLDONE	(wdone == P && ncomm == ndeliv)
#define BIG(m)	((LARGE >> (m)) & 1)

#define DIE	atomic { crashes < MAXC -> crashes++; dead[me] = 1; goto Dead }
#define STORE(x)	if :: atomic { x } :: DIE fi

/* Slot i holds a message of chunk c, in segments first to last. */
#ifdef M_SKIP_TAKEN
#define IN_USE(w)	(WHAT(w) == FULL)
#else
#define IN_USE(w)	(WHAT(w) == FULL || WHAT(w) == TAKEN)
#endif
#define NAMES1(i, c, f, l)	(IN_USE(slot[i]) && CHUNK(body[i]) == (c) && (i) + 1 >= (f) && (i) + 1 <= (l))
#if SLOTS == 2
#define NAMES(c, f, l)	(NAMES1(0, c, f, l) || NAMES1(1, c, f, l))
#elif SLOTS == 3
#define NAMES(c, f, l)	(NAMES1(0, c, f, l) || NAMES1(1, c, f, l) || NAMES1(2, c, f, l))
#elif SLOTS == 4
#define NAMES(c, f, l)	(NAMES1(0, c, f, l) || NAMES1(1, c, f, l) || NAMES1(2, c, f, l) || \
			 NAMES1(3, c, f, l))
#else
#error "more slots"
#endif
#define GIVEABLE(c)	(CSTATE(word[c]) == SEALED && !NAMES(c, first[c], LAST(second[c])))
#define ISFREE(c)	(CSTATE(word[c]) == FREE)
#if B == 2
#define ANYFREE		(ISFREE(0) || ISFREE(1))
#define ANYROW		(ISFREE(0) && ISFREE(1))
#define ANYGIVEABLE	(GIVEABLE(0) || GIVEABLE(1))
#elif B == 3
#define ANYFREE		(ISFREE(0) || ISFREE(1) || ISFREE(2))
#define ANYROW		(ISFREE(1) && (ISFREE(0) || ISFREE(2)))
#define ANYGIVEABLE	(GIVEABLE(0) || GIVEABLE(1) || GIVEABLE(2))
#endif

/* Give back chunk cc, if all its messages are done with. Locals: a, b, e. */
inline give_back(cc)
{
	atomic {
		a = word[cc];
		b = second[cc];
		if
		:: CSTATE(a) == SEALED
		:: else -> a = NONE
		fi
	}
	if
	:: a != NONE ->
		atomic { e = first[cc] }
		atomic {
			if
			:: NAMES(cc, e, LAST(b)) -> a = NONE
			:: else
			fi;
			e = 0
		}
	:: else
	fi;
	if
	:: a != NONE && COUNT(b) == 1 ->
		STORE(if
		      :: word[cc] == a && second[cc] == b ->
#ifdef M_NO_GENERATION
			word[cc] = CWORD(FREE, 0, CGEN(a))
#else
			word[cc] = CWORD(FREE, 0, CGEN(a) + 1)
#endif
		      :: else
		      fi;
		      a = NONE)
	:: a != NONE && COUNT(b) == 2 ->
		STORE(giving[me] = ROW(cc, 2));
		STORE(if
		      :: word[cc] == a && second[cc] == b ->
			a = CWORD(FILLING, me, CGEN(a));
			word[cc] = a;
			second[cc] = 2
		      :: else -> a = NONE
		      fi);
		if
		:: a != NONE ->
#ifdef M_FIRST_BEFORE_PARTS
			STORE(word[cc] = CWORD(FREE, 0, CGEN(a) + 1));
#endif
			STORE(if
			      :: CSTATE(word[cc + 1]) == PART && second[cc + 1] == PARTOF(cc, a) ->
				word[cc + 1] = CWORD(FREE, 0, CGEN(word[cc + 1]) + 1)
			      :: else
			      fi);
#ifndef M_FIRST_BEFORE_PARTS
			STORE(word[cc] = CWORD(FREE, 0, CGEN(a) + 1))
#endif
		:: else
		fi;
		STORE(giving[me] = NONE)
	:: else
	fi;
	atomic { a = 0; b = 0; e = 0 }
}

proctype Writer(byte me)
{
	byte m, c, place, i, a, b, e, j;
	bit have;

Begin:
	atomic { place = 0; have = 0; i = 0 }
Put:
	if
	:: atomic { m == K && have -> c = c }
		goto Seal
	:: atomic { m == K && !have -> wdone++; goto End }
	:: atomic { m < K && BIG(m) -> goto Row }
	:: atomic { m < K && !BIG(m) && have && place < CAP -> goto Write }
	:: atomic { m < K && !BIG(m) && have && place == CAP -> goto Seal }
	:: atomic { m < K && !BIG(m) && !have }
	fi;
Chunk:
	if
	:: atomic { ISFREE(0) -> j = 0; a = word[0] }
	:: atomic { !ISFREE(0) && ISFREE(1) -> j = 1; a = word[1] }
#if B > 2
	:: atomic { !ISFREE(0) && !ISFREE(1) && ISFREE(2) -> j = 2; a = word[2] }
#endif
	:: atomic { !ANYFREE && ANYGIVEABLE -> j = 0 }
		do
		:: j < B -> give_back(j); j++
		:: else -> break
		od;
		atomic { j = 0; goto Chunk }
	:: DIE
	fi;
#ifndef M_NO_ROW
	STORE(row[me] = ROW(j, 1));
#endif
	STORE(if
	      :: word[j] == a -> word[j] = CWORD(FILLING, me, CGEN(a)); second[j] = 1; have = 1
	      :: else
	      fi;
	      a = 0);
	if
	:: !have -> STORE(row[me] = NONE; j = 0; goto Chunk)
	:: else
	fi;
#ifndef M_FIRST
	STORE(first[j] = i + 1);
#endif
	STORE(filling[me] = j);
	STORE(row[me] = NONE; c = j; j = 0; place = 0);
Write:
	STORE(memory[c * CAP + place] = me * K + m + 1);
	goto Slot;
Row:
	if
	:: atomic { ISFREE(0) && ISFREE(1) -> j = 0; a = word[0] }
#if B > 2
	:: atomic { !ISFREE(0) && ISFREE(1) && ISFREE(2) -> j = 1; a = word[1] }
#endif
	:: atomic { !ANYROW && ANYGIVEABLE -> j = 0 }
		do
		:: j < B -> give_back(j); j++
		:: else -> break
		od;
		atomic { j = 0; goto Row }
	/* Its own is in the way of the row. */
	:: atomic { !ANYROW && !ANYGIVEABLE && have -> goto Seal }
	:: DIE
	fi;
	STORE(row[me] = ROW(j, 2));
	STORE(if
	      :: word[j] == a -> word[j] = CWORD(FILLING, me, CGEN(a)); second[j] = 2
	      :: else -> a = NONE
	      fi);
	if
	:: a == NONE -> STORE(row[me] = NONE; a = 0; j = 0; goto Row)
	:: else
	fi;
	atomic {
		a = word[j + 1];
		if
		:: CSTATE(a) == FREE
		:: else -> a = NONE
		fi
	}
	if
	:: a != NONE ->
		STORE(if
		      :: word[j + 1] == a ->
			word[j + 1] = CWORD(FILLING, me, CGEN(a));
			second[j + 1] = 2
		      :: else -> a = NONE
		      fi)
	:: else
	fi;
	if
	:: a == NONE ->
		STORE(word[j] = CWORD(FREE, 0, CGEN(word[j]) + 1));
		STORE(row[me] = NONE; a = 0; j = 0; goto Row)
	:: else
	fi;
	STORE(first[j] = i + 1);
	STORE(word[j + 1] = CWORD(PART, 0, CGEN(a)); second[j + 1] = PARTOF(j, word[j]); a = 0);
	STORE(memory[j * CAP] = me * K + m + 1);
	STORE(memory[(j + 1) * CAP] = me * K + m + 1);
Slot:
	do
	:: atomic { WHAT(slot[i]) != EMPTY -> i++ }
	:: atomic { WHAT(slot[i]) == EMPTY -> break }
	od;
	STORE(if
	      :: WHAT(slot[i]) == EMPTY ->
		slot[i] = STATE(FULL, 0, 0);
		if
		:: BIG(m) -> body[i] = BODY(j, 0, 1)
		:: else -> body[i] = BODY(c, place, 0); place++
		fi;
		comm[me * K + m] = 1;
		ncomm++;
		m++;
		i++;
		a = 1
	      :: else
	      fi);
	if
	:: !a -> goto Slot
	:: else
	fi;
	STORE(a = 0;
	      if :: tail == i - 1 -> tail = i :: else fi;
	      if
	      :: !BIG(m - 1) -> goto Put
	      :: else
	      fi);
	/* A row is sealed once its message is put. */
	STORE(word[j] = CWORD(SEALED, 0, CGEN(word[j])); second[j] = SECOND(i, 2));
	STORE(row[me] = NONE; j = 0);
	goto Put;
Seal:
	/* i: the number of the segment of the last put, or a later one */
#ifdef M_FIRST
	STORE(first[c] = i);
#endif
#ifdef M_FILLING_STAYS
	STORE(word[c] = CWORD(SEALED, 0, CGEN(word[c])); second[c] = SECOND(i, 1); have = 0);
#else
	STORE(word[c] = CWORD(SEALED, 0, CGEN(word[c])); second[c] = SECOND(i, 1));
	STORE(filling[me] = NONE; have = 0);
#endif
	atomic { c = 0; place = 0; goto Put }
Dead:
	atomic {
		c = 0; place = 0; i = 0; a = 0; b = 0; e = 0; j = 0; have = 0;
		if
		:: m < K && !comm[me * K + m] -> m++
		:: else
		fi
	}
	atomic { !used[me] -> used[me] = 1 }
#ifndef M_LEDGER_STAYS
	/* What the one before has written down would be mended as ours. */
	STORE(filling[me] = NONE; row[me] = NONE; giving[me] = NONE);
#endif
	goto Begin;
End:
	atomic { m = 0; i = 0; place = 0 }
}

proctype Reader(byte me)
{
	byte i, ti, w, rem, r, a, b, e, seen;

Begin:
	atomic { rem = NONE; seen = NONE }
Get:
	atomic {
		r = requeued;
		if
		:: r == rem -> r = 0; goto Next
		:: else -> ti = 0
		fi
	}
	do
	:: atomic { ti < i && WHAT(slot[ti]) == FULL -> w = slot[ti]; r = 0; goto Take }
	:: atomic { ti < i && WHAT(slot[ti]) != FULL -> ti++ }
	:: ti == i -> break
	od;
	atomic { rem = r; r = 0; ti = 0 }
Next:
	if
	:: atomic { i < SLOTS && WHAT(slot[i]) == FULL -> ti = i; w = slot[i] }
	:: atomic { i < SLOTS && (WHAT(slot[i]) == TAKEN || WHAT(slot[i]) == DONE) -> i++; goto Get }
	:: atomic { requeued != rem -> goto Get }
	:: atomic { ALLDONE -> goto End }
	:: DIE
	fi;
Take:
	STORE(if
	      :: slot[ti] == w -> w = STATE(TAKEN, TURN(w), me); slot[ti] = w
	      :: else -> w = 0; ti = 0; goto Get
	      fi);
	/* Its bytes. */
	r = memory[CHUNK(body[ti]) * CAP + PLACE(body[ti])];
	if
	:: ISLARGE(body[ti]) -> atomic { assert(memory[(CHUNK(body[ti]) + 1) * CAP] == r) }
	:: else
	fi;
	STORE(assert(r > 0 && comm[r - 1] && !deliv[r - 1]);
	      deliv[r - 1] = 1;
	      ndeliv++;
	      assert(slot[ti] == w);
	      slot[ti] = STATE(DONE, 0, 0);
	      w = 0;
	      r = 0);
	/* What came from a chunk before is looked at when there is another. */
	if
	:: ISLARGE(body[ti]) -> r = CHUNK(body[ti]); ti = 0; give_back(r)
	:: !ISLARGE(body[ti]) && seen != NONE && seen != CHUNK(body[ti]) ->
		atomic { r = seen; seen = CHUNK(body[ti]); ti = 0 }
		give_back(r)
	:: else -> atomic { seen = CHUNK(body[ti]); ti = 0 }
	fi;
	atomic { r = 0; goto Get }
Dead:
	atomic { i = 0; ti = 0; w = 0; rem = 0; r = 0; a = 0; b = 0; e = 0; seen = 0 }
	atomic { !used[me] -> used[me] = 1 }
#ifndef M_LEDGER_STAYS
	/* What the one before has written down would be mended as ours. */
	STORE(filling[me] = NONE; row[me] = NONE; giving[me] = NONE);
#endif
	goto Begin;
End:
	atomic { i = 0; ti = 0; w = 0; rem = 0; r = 0; seen = 0; rdone++ }
}

#ifdef M_NO_RECHECK
#define RECHECK	skip
#else
#define RECHECK	atomic { if :: !used[x] || gen[x] != y -> goto Begin :: else fi }
#endif
#define CSTORE(z)	if :: atomic { z } :: atomic { crashes < MAXC -> crashes++; goto Begin } fi
#define ITS(w)	(CSTATE(w) == FILLING && CSEAT(w) == x)

/* After a death: chunk cc, or the row of nn that begins there. */
inline mend(cc, nn)
{
	atomic { w = word[cc]; q = second[cc]; t = 0 }
	if
	:: ITS(w) ->
		atomic { t = 1 }
		if
		:: nn == 2 ->
			atomic {
				v = word[cc + 1];
				z = second[cc + 1];
				if
				:: CSTATE(v) == PART && z == PARTOF(cc, w)
#ifdef M_SEAL_ANYWAY
				:: else
#else
				:: else -> t = 2
#endif
				fi
			}
		:: else
		fi
	:: else
	fi;
	if
	:: t == 1 ->
#ifdef M_FREE_FILLING
		RECHECK;
		CSTORE(if :: word[cc] == w && second[cc] == q -> word[cc] = CWORD(FREE, 0, CGEN(w) + 1) :: else fi)
#else
		atomic {
#ifdef M_LAST_HINT
			t = tail;
#else
			t = 0;
			do
			:: t < SLOTS && WHAT(slot[t]) != EMPTY -> t++
			:: else -> break
			od
#endif
		}
		RECHECK;
		CSTORE(if
		       :: word[cc] == w && second[cc] == q ->
			word[cc] = CWORD(SEALED, 0, CGEN(w));
			second[cc] = SECOND(t, nn)
		       :: else
		       fi)
#endif
	:: t == 2 ->
		if
		:: ITS(v) || (CSTATE(v) == PART && z == PARTOF(cc, w)) ->
			RECHECK;
			CSTORE(if
			       :: word[cc + 1] == v && second[cc + 1] == z ->
				word[cc + 1] = CWORD(FREE, 0, CGEN(v) + 1)
			       :: else
			       fi)
		:: else
		fi;
		RECHECK;
		CSTORE(if
		       :: word[cc] == w && second[cc] == q -> word[cc] = CWORD(FREE, 0, CGEN(w) + 1)
		       :: else
		       fi)
	:: else
	fi;
	atomic { w = 0; q = 0; t = 0; v = 0; z = 0 }
}

proctype Cleaner()
{
	byte x, y, i, w, q, t, v, z, c, n;

Begin:
	atomic { x = 0; y = 0; i = 0; w = 0; q = 0; t = 0; v = 0; z = 0; c = 0; n = 0 }
	if
	:: atomic { dead[0] -> x = 0; y = gen[0] }
	:: atomic { dead[1] -> x = 1; y = gen[1] }
#if SEATS > 2
	:: atomic { dead[2] -> x = 2; y = gen[2] }
#endif
#if SEATS > 3
	:: atomic { dead[3] -> x = 3; y = gen[3] }
#endif
	:: atomic { rdone == C && ALLDONE && !dead[0] && !dead[1] && !dead[SEATS - 1] && !dead[SEATS - 2] -> goto End }
	fi;
	do
	:: i < SLOTS ->
		w = slot[i];
		if
		:: WHAT(w) == TAKEN && SEAT(w) == x ->
			RECHECK;
			CSTORE(if :: slot[i] == w -> slot[i] = STATE(FULL, TURN(w) + 1, 0) :: else fi)
		:: else
		fi;
		atomic { w = 0; i++ }
	:: else -> break
	od;
	i = 0;
	/*
	 * M_ROW_FIRST is no mistake in here: both name the same chunk only between the store of the one
	 * and the crossing out of the other, as one that is alone, so either seals it.
	 */
#ifdef M_ROW_FIRST
	c = row[x];
	if
	:: c != NONE -> atomic { n = ROWN(c); c = ROWC(c) } mend(c, n)
	:: else
	fi;
#endif
	c = filling[x];
	if
	:: c != NONE -> n = 1; mend(c, n)
	:: else
	fi;
#ifndef M_ROW_FIRST
	c = row[x];
	if
	:: c != NONE -> atomic { n = ROWN(c); c = ROWC(c) } mend(c, n)
	:: else
	fi;
#endif
#ifndef M_NO_GIVING
	c = giving[x];
	if
	:: c != NONE -> atomic { n = ROWN(c); c = ROWC(c) } mend(c, n)
	:: else
	fi;
#endif
	atomic { c = 0; n = 0 }
	CSTORE(requeued++);
	CSTORE(if :: used[x] && gen[x] == y -> used[x] = 0; dead[x] = 0; gen[x]++ :: else fi);
	goto Begin;
End:
	skip
}

init
{
	byte a, b, e, i, me;

	atomic {
		do
		:: i < SEATS -> used[i] = 1; filling[i] = NONE; row[i] = NONE; giving[i] = NONE; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < P -> run Writer(i); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < C -> run Reader(P + i); i++
		:: else -> break
		od;
		i = 0;
#if MAXC
		do
		:: i < R -> run Cleaner(); i++
		:: else -> break
		od;
		i = 0
#endif
	}
	(_nr_pr == 1);
	crashes = MAXC;
	do
	:: i < B -> give_back(i); i++
	:: else -> break
	od;
	atomic {
		i = 0;
		do
		:: i < B -> assert(CSTATE(word[i]) == FREE); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < SLOTS -> assert(comm[i] == deliv[i]); i++
		:: else -> break
		od
	}
Dead:
	skip
}
