/* SPDX-License-Identifier: MIT */
/*
 * The tape of the queue (doc/design/queue.md): slots, frames, head and tail, retiring, emptying,
 * requeued messages, seats and the cleaning up after them, the end.
 *
 * Each access of shared memory is one step, and before each that changes something its process
 * may die; dying before a load is the same as dying before the next store, nobody sees loads. Who
 * has been stopped is who is not scheduled any more: with MAXSTOP, everybody else must come to an end
 * nevertheless. A seat whose owner died is taken by another process after the cleaning up.
 *
 * Waiting is a guard on exactly the words that a look would look at: if nobody can wake, Spin says
 * that the state is no valid end. The numbers do not wrap in here.
 */
#ifndef P
#define P 2		/* writers, of K messages each */
#endif
#ifndef K
#define K 1
#endif
#ifndef K1
#define K1 K		/* the second one's */
#endif
#ifndef C
#define C 1		/* readers */
#endif
#ifndef S
#define S 1		/* slots of a segment */
#endif
#ifndef F
#define F 2		/* frames */
#endif
#ifndef E
#define E 0		/* how often a frame is emptied */
#endif
#ifndef R
#define R 1		/* cleaners at once */
#endif
#ifndef MAXC
#define MAXC 1		/* deaths */
#endif
#ifndef MAXSTOP
#define MAXSTOP 0	/* processes that are stopped for ever */
#endif
#ifndef RETURNS
#define RETURNS 0	/* leases that are given back unread */
#endif
#ifndef CLOSE
#define CLOSE 0		/* the last message of the last writer is the end */
#endif

#define SHUTS_DOWN	(CLOSE && me == P - 1 && m == LENGTH(me) - 1)
#define SEATS		(P + C + 1)	/* and one for who empties frames */
#define NONE		255
#define FIRST		2		/* segment; the number before it must not be zero */

/* slot: what 2, leased 1, times 2, turn 2, seat 3, number */
#define FREE		0
#define FULL		1
#define TAKEN		2
#define CLOSED		3
#define STATE(k, what)	((k) << 10 | (what))
#define SEG(w)		((w) >> 10)
#define WHAT(w)		((w) & 3)
#define LEASED(w)	((w) >> 2 & 1)
#define TIMES(w)	((w) >> 3 & 3)
#define TURN(w)		((w) >> 5 & 3)
#define SEAT(w)		((w) >> 7 & 7)
#define LEASEBIT	4
#define SLOT(f, i)	slot[(f) * S + (i)]
#define BODY(f, i)	body[(f) * S + (i)]

/* frame: state 2, seat 3, turn 3, number */
#define HELD		1
#define LIVE		2
#define FSTATE(w)	((w) & 3)
#define FSEAT(w)	((w) >> 2 & 7)
#define FTURN(w)	((w) >> 5 & 7)
#define FSEG(w)		((w) >> 8)
#define FRAME(st, seat, turn, k) ((k) << 8 | ((turn) & 7) << 5 | (seat) << 2 | (st))

/* a place on the tape: number and frame, as in head, tail and next */
#define AT(k, f)	((k) << 2 | (f))
#define ATSEG(l)	((l) >> 2)
#define ATF(l)		((l) & 3)

short slot[F * S];
byte body[F * S];
short frame[F];
byte next[F];
byte prev[F];
byte head, tail;
byte requeued;

/*
 * Segment 2 is done, but nobody was by to retire it; in segment 3 the one of seat SCENE_DEAD has
 * taken the first message of the first writer, and died; segment 4 is empty. With QUITS that has been
 * cleaned up after, when the first reader begins; and the others are about to leave segment 3, and the
 * queue, whenever they like.
 */
#ifdef SCENE
#if SCENE == 1
#define SCENE_DEAD	(P + C)		/* nobody takes its seat */
#else
#define SCENE_DEAD	(P + C - 1)	/* the last reader takes its seat */
#endif
#endif

/* seats: the word, and what its owner wrote down */
bit used[SEATS];
byte gen[SEATS];
byte holds[SEATS];	/* the frame it holds */
byte takes[SEATS];	/* the frame it takes from */
#ifdef LEASE
byte leases[SEATS];	/* another frame it holds a lease in */
#endif

/* What was put back, in the scene, lies there for all to find. */
#ifdef SCENE
#define PENDING	(requeued > 0 && SLOT(1, 0) == (STATE(FIRST + 1, FULL) | 1 << 5))
#else
#define PENDING	0
#endif

#ifdef M_END_AT_ONCE
#define MAY_END	1
#else
#define MAY_END	(requeued == rem)
#endif

/* What nobody can see: what really happened. */
bit dead[SEATS];	/* the kernel knows */
bit ended;
byte crashes, stops, stuck, returns, gone;
byte ncomm, ndeliv, wdone, rdone;
bit comm[P * K];
byte deliv[P * K];
byte flag[P * K];

#define LENGTH(p)	((p) == 1 -> K1 : K)
#define ALLDONE	(!CLOSE && wdone == P && ncomm == ndeliv + stuck)

#ifdef DEMO
#define DIE(seat)	atomic { crashes < MAXC && seat == P + 1 && ncomm == 4 -> crashes++; dead[seat] = 1; goto Dead }
#else
#define DIE(seat)	atomic { crashes < MAXC -> crashes++; dead[seat] = 1; goto Dead }
#endif
#if MAXSTOP
#define OR_DIE	:: DIE(me) :: atomic { stops < MAXSTOP -> stops++; goto Stopped }
#else
#define OR_DIE	:: DIE(me)
#endif
#define STORE(x)	if :: atomic { x } OR_DIE fi

#ifdef M_RETIRE_EARLY
#define DONE(f)		(SEG(SLOT(f, 0)) == FSEG(frame[f]))
#define NOFULL(f)	(WHAT(SLOT(f, 0)) != FULL)
#elif S == 1
#define DONE(f)		(SLOT(f, 0) == STATE(FSEG(frame[f]), FREE))
#define NOFULL(f)	(WHAT(SLOT(f, 0)) != FULL)
#else
#define DONE(f)		(SLOT(f, 0) == STATE(FSEG(frame[f]), FREE) && \
			 SLOT(f, 1) == STATE(FSEG(frame[f]), FREE))
#define NOFULL(f)	(WHAT(SLOT(f, 0)) != FULL && WHAT(SLOT(f, 1)) != FULL)
#endif
#define NOTOLD(f, k)	(FSTATE(frame[f]) != LIVE || FSEG(frame[f]) >= (k) || NOFULL(f))
#if F == 2
#define ANYFREE		(FSTATE(frame[0]) == FREE || FSTATE(frame[1]) == FREE)
#define NOOLDFULL(k)	(NOTOLD(0, k) && NOTOLD(1, k))
#elif F == 3
#define ANYFREE	\
	(FSTATE(frame[0]) == FREE || FSTATE(frame[1]) == FREE || FSTATE(frame[2]) == FREE)
#define NOOLDFULL(k)	(NOTOLD(0, k) && NOTOLD(1, k) && NOTOLD(2, k))
#endif
#define CANRETIRE(f)	(FSTATE(frame[f]) == LIVE && DONE(f) && \
			 ATSEG(next[f]) == FSEG(frame[f]) && \
			 (ATSEG(head) > FSEG(frame[f]) || NOOLDFULL(FSEG(frame[f]))))
#if F == 2
#define ANYRETIRE	(CANRETIRE(0) || CANRETIRE(1))
#elif F == 3
#define ANYRETIRE	(CANRETIRE(0) || CANRETIRE(1) || CANRETIRE(2))
#endif

#if S == 1
#define ALL(f, w)	(SLOT(f, 0) == (w))
#else
#define ALL(f, w)	(SLOT(f, 0) == (w) && SLOT(f, 1) == (w))
#endif
#ifdef M_RETIRE_EARLY
#define SEGMENT_DONE(f, k)	(SEG(SLOT(f, 0)) == (k) && WHAT(SLOT(f, 0)) != FULL)
#else
#define SEGMENT_DONE(f, k)	ALL(f, STATE(k, FREE))
#endif

/*
 * Retire segment kk in frame ff, if it is done. Locals: w, n, t, j.
 *
 * That a slot is done is final, and that `next` has the number: to look at them one by one is the same
 * as to look at all of them last. So is `next` of the tail, of a segment that is not the end.
 */
inline retire(ff, kk)
{
	atomic {
		if
		:: SEGMENT_DONE(ff, kk) && ATSEG(next[ff]) == kk -> j = S + 1
		:: else -> j = NONE
		fi
	}
	do
#ifndef M_TAIL_LEFT
	:: j == S + 1 ->	/* tail */
		atomic {
			t = tail;
			if
			:: ATSEG(t) > kk -> j = S + 2
			:: else -> n = next[ATF(t)]; assert(ATSEG(n) >= ATSEG(t))
			fi
		}
		if
		:: j == S + 1 ->
			STORE(if :: tail == t -> tail = AT(ATSEG(t) + 1, ATF(n)) :: else fi)
		:: else
		fi
#else
	:: j == S + 1 -> j = S + 2
#endif
#ifndef M_HEAD_LEFT
	:: j == S + 2 ->	/* head */
		atomic {
			t = head;
			if
			:: ATSEG(t) > kk -> j = S + 3
			:: else -> j = 0
			fi
		}
		do
		:: j < S ->
			atomic {
				w = SLOT(ATF(t), j);
				if
				:: SEG(w) == ATSEG(t) && WHAT(w) != FULL -> j++
#ifdef M_HEAD_OVER_FULL	/* no mistake in here: who begins at the head looks through all before it */
				:: SEG(w) == ATSEG(t) && WHAT(w) == FULL -> j++
#endif
				:: SEG(w) > ATSEG(t) || w == 0 -> j = S + 2	/* head is elsewhere */
				:: else -> j = NONE
				fi
			}
		:: else -> break
		od;
		if
		:: j == S ->
			atomic {
				n = next[ATF(t)];
				if
				:: ATSEG(n) == ATSEG(t)
				:: else -> j = NONE
				fi
			}
			if
			:: j == S ->
				STORE(j = S + 2;
				      if :: head == t -> head = AT(ATSEG(t) + 1, ATF(n)) :: else fi)
			:: else
			fi
		:: else
		fi
#else
	:: j == S + 2 -> j = S + 3
#endif
	:: j == S + 3 ->
		/* LIVE with this number can only become FREE: the load says no more than this does. */
		STORE(j = NONE; w = frame[ff];
		      if :: FSTATE(w) == LIVE && FSEG(w) == kk ->
				frame[ff] = FRAME(FREE, 0, FTURN(w), kk)
			 :: else fi)
	:: j == NONE -> break
	od;
	atomic { j = 0; w = 0; n = 0; t = 0 }
}

proctype Writer(byte me)
{
	byte k, f, i, g, j, n, t, m;
	short w;
	bit ok;

#ifdef SCENE
	if
#ifdef QUITS
	:: me == 0 -> atomic { requeued > 0 -> m = 1 }
#else
	:: me == 0 -> m = 1
#endif
	:: else
	fi;
#endif
Begin:
Lost:
	atomic { t = tail; k = ATSEG(t); f = ATF(t); i = 0; t = 0 }
Put:
	if
	:: atomic { m == LENGTH(me) -> wdone++; k = 0; f = 0; i = 0; goto End }
	:: m < LENGTH(me)
	fi;
Slot:
	atomic {
		w = SLOT(f, i);
		if
#ifdef M_PUT_ZERO
		:: SEG(w) > k -> goto Lost
#else
		:: w == 0 || SEG(w) > k -> w = 0; goto Lost
#endif
		:: SEG(w) == k && WHAT(w) == CLOSED -> w = 0; wdone++; k = 0; f = 0; i = 0; goto End
		:: SEG(w) == k && WHAT(w) != CLOSED ->
			w = 0;
			i++;
			if
			:: i == S -> goto Next
			:: else -> goto Slot
			fi
		:: else -> assert(WHAT(w) == FREE)
		fi
	}
	STORE(
		if
#ifdef M_PUT_NUMBER
		:: WHAT(SLOT(f, i)) == FREE ->
#else
		:: SLOT(f, i) == w ->
#endif
			if
			:: SHUTS_DOWN -> SLOT(f, i) = STATE(k, CLOSED); ended = 1
			:: else ->
				SLOT(f, i) = STATE(k, FULL);
				BODY(f, i) = me * K + m;
				assert(!comm[me * K + m] && !ended);
				comm[me * K + m] = 1;
				ncomm++
			fi;
			m++
		:: else
		fi;
		w = 0;
		if
		:: m == LENGTH(me) -> wdone++; k = 0; f = 0; i = 0; goto End
		:: else -> goto Slot
		fi);
Next:
	atomic {
		n = next[f];
		if
		:: ATSEG(n) == k -> skip
		:: ATSEG(n) > k -> n = 0; goto Lost
		:: else -> goto Hang
		fi
	}
	STORE(if :: tail == AT(k, f) -> tail = AT(k + 1, ATF(n)) :: else fi;
	      k++; f = ATF(n); i = 0; n = 0; goto Slot);
Hang:
	/* A frame that is FREE: each word is looked at in turn, so what one finds may be gone. */
	if
	:: atomic { FSTATE(frame[0]) == FREE -> g = 0; w = frame[0] }
	:: atomic { FSTATE(frame[0]) != FREE && FSTATE(frame[1]) == FREE -> g = 1; w = frame[1] }
#if F > 2
	:: atomic { FSTATE(frame[0]) != FREE && FSTATE(frame[1]) != FREE &&
		    FSTATE(frame[2]) == FREE -> g = 2; w = frame[2] }
#endif
	:: atomic { next[f] != n -> n = 0; goto Next }
	:: atomic { !ANYFREE && ANYRETIRE -> g = 0 }
		do
		:: g < F ->
			atomic {
				w = frame[g];
				if
				:: FSTATE(w) == LIVE -> m = m | FSEG(w) << 4
				:: else
				fi;
				w = 0
			}
			if
			:: (m >> 4) -> retire(g, (m >> 4))
			:: else
			fi;
			atomic { m = m & 15; g++ }
		:: else -> break
		od;
		atomic { g = 0; n = 0; goto Next }
	OR_DIE
	fi;
	STORE(holds[me] = g);
	STORE(if :: frame[g] == w -> ok = 1; w = FRAME(HELD, me, FTURN(w) + 1, FSEG(w)); frame[g] = w
		 :: else -> ok = 0; w = 0 fi);
	if
	:: !ok -> atomic { g = 0; n = 0; goto Next }
	:: else
	fi;
	j = 0;
	do
	:: j < S ->
		if
		:: atomic { SLOT(g, j) != 0 }
		:: atomic { SLOT(g, j) == 0 -> t = 1 }
		fi;
#ifdef M_FIRST_ONLY
		if
		:: atomic { j == 0 && t == 0 -> break }
		:: else
		fi;
#endif
		if
		:: t -> STORE(SLOT(g, j) = STATE(k, FREE); t = 0)
		:: else
		fi;
		j++
	:: else -> break
	od;
	atomic { j = 0; t = 0 }
#ifdef M_NO_PREV
	skip;
#else
	STORE(prev[g] = f);
#endif
	STORE(w = FRAME(LIVE, me, FTURN(w), k + 1); frame[g] = w);
#ifdef M_NEXT_NUMBER
	STORE(if :: ATSEG(next[f]) != k -> ok = 1; next[f] = AT(k, g) :: else -> ok = 0 fi);
#else
	STORE(if :: next[f] == n -> ok = 1; next[f] = AT(k, g) :: else -> ok = 0 fi);
#endif
	if
	:: !ok -> STORE(assert(frame[g] == w); frame[g] = FRAME(FREE, 0, FTURN(w), k + 1))
	:: else
	fi;
	STORE(holds[me] = NONE; w = 0; ok = 0; n = 0; g = 0);
	goto Next;
Dead:
	/* Whether a message exists that it was about to put is not known; nobody puts it again. */
	atomic {
		k = 0; f = 0; i = 0; g = 0; j = 0; n = 0; t = 0; w = 0; ok = 0;
		m = m & 15;
		if
		:: m < LENGTH(me) && !SHUTS_DOWN && !comm[me * K + m] -> m++
		:: else
		fi
	}
	atomic { !used[me] -> used[me] = 1 }
	goto Begin;
#if MAXSTOP
Stopped:
	atomic { k = 0; f = 0; i = 0; g = 0; j = 0; n = 0; t = 0; w = 0; ok = 0; m = 0; wdone++ }
#endif
End:
	m = 0
}

#ifdef LEASE
#define TAKE(k, w, me)	(STATE(k, TAKEN) | me << 7 | (w & 120) | LEASEBIT)
#else
#define TAKE(k, w, me)	(STATE(k, TAKEN) | me << 7 | (w & 120))
#endif

inline release_kept()
{
	STORE(assert(SLOT(hf, hi) == hw); SLOT(hf, hi) = STATE(SEG(hw), FREE);
	      ndeliv++; kept = 0; hf = 0; hi = 0; hw = 0)
}

proctype Reader(byte me)
{
	byte k, f, i, rem, r, j, n, t, tk, tf, ti;
	short w;
	bit ok;
#if CLOSE
	bit pending;
#endif
#ifdef ORDER
	byte seen[P];
#endif
#ifdef LEASE
	bit kept;	/* another message, that is looked at for longer */
	byte hf, hi;
	short hw;
#endif

#ifdef SCENE
	if
	:: me == SCENE_DEAD -> goto Dead
#ifdef QUITS
	:: me > P && me != SCENE_DEAD ->
		atomic { requeued > 0 -> k = FIRST + 1; f = 1; i = S; rem = 0; goto Next }
#endif
	:: else
	fi;
#endif
Begin:
	atomic {
		t = head; k = ATSEG(t); f = ATF(t); i = 0; t = 0;
#ifdef M_JOIN
		rem = requeued
#else
		rem = NONE
#endif
	}
#ifdef DEMO
	(me != P || requeued > 0 || (crashes == 0 && ALLDONE));
#endif
#ifdef QUITS
	(requeued > 0);
#endif
	goto Get;
Lost:
	/* Left behind: what was put back meanwhile may lie in what it leaves out. */
	atomic {
		t = head; k = ATSEG(t); f = ATF(t); i = 0; t = 0;
#ifndef M_REMEMBERS
		rem = NONE
#endif
	}
	goto Slot;
Get:
#ifdef QUITS
	if
#ifdef LEASE
	:: me > P && !kept -> goto Leave
#else
	:: me > P -> goto Leave
#endif
	:: true
	fi;
#endif
#ifdef LEASE
	if
	:: kept -> release_kept()
	:: true
	fi;
#endif
	atomic {
		r = requeued;
#if CLOSE
		pending = PENDING;
#endif
		if
		:: r == rem && i == S -> r = 0; goto Next
		:: r == rem && i < S -> r = 0; goto Slot
		:: else
		fi
	}
	/* Something was put back: come to the head, then look through the segments up to there. */
#ifndef M_STAYS
	atomic {
		t = head;
		if
		:: ATSEG(t) > k -> k = ATSEG(t); f = ATF(t); i = 0
		:: else
		fi;
		t = 0
	}
#endif
	do
	:: tf < F ->
		atomic {
			w = frame[tf];
			if
			:: FSTATE(w) == LIVE && FSEG(w) <= k -> tk = FSEG(w)
			:: else -> ti = S
			fi;
			w = 0
		}
		do
		:: ti < (tf == f -> i : S) ->
			atomic {
				w = SLOT(tf, ti);
				if
				:: SEG(w) == tk && WHAT(w) == FULL -> r = 0; goto Take
				:: else -> ti++
				fi;
				w = 0
			}
		:: else -> break
		od;
		atomic { tf++; tk = 0; ti = 0 }
	:: else -> break
	od;
	atomic {
		rem = r; r = 0; tf = 0; tk = 0; ti = 0;
		if
		:: i == S -> goto Next
		:: else
		fi
	}
Slot:
	atomic {
		w = SLOT(f, i);
		if
		:: w == 0 || SEG(w) > k -> w = 0; goto Lost
		:: SEG(w) == k && WHAT(w) == FULL -> tk = k; tf = f; ti = i; goto Take
		:: SEG(w) == k && WHAT(w) == CLOSED -> skip
#ifdef M_SKIP_FULL
		:: SEG(w) == k && WHAT(w) == FULL ->
			w = 0;
			i++;
			if
			:: i == S -> goto Next
			:: else -> goto Slot
			fi
#endif
		:: SEG(w) == k && (WHAT(w) == TAKEN || WHAT(w) == FREE) ->
			w = 0;
			i++;
			if
			:: i == S -> goto Next
			:: else -> goto Slot
			fi
		:: SEG(w) < k && w != 0 -> skip
		fi
	}
	/* Nothing here. */
	if
#ifdef LEASE
	:: atomic { SEG(w) == k && requeued == rem && !kept -> goto Leave }
#elif CLOSE
	:: atomic { SEG(w) == k && MAY_END -> assert(!pending || !PENDING); goto Leave }
#endif
	:: atomic { SEG(w) != k && SLOT(f, i) != w -> w = 0; goto Get }
	:: atomic { requeued != rem -> w = 0; goto Get }
#ifdef LEASE
	:: kept -> release_kept(); atomic { w = 0; goto Get }
	:: atomic { ALLDONE && !kept -> goto Leave }
#else
	:: atomic { ALLDONE -> goto Leave }
#endif
	OR_DIE
	fi;
Take:
	if
	:: takes[me] != tf ->
#ifdef M_NOT_WRITTEN_DOWN
		skip
#else
		STORE(takes[me] = tf)
#endif
	:: else
	fi;
	STORE(
		if
		:: SLOT(tf, ti) == w -> ok = 1; w = TAKE(tk, w, me); SLOT(tf, ti) = w
		:: else -> ok = 0; w = 0
		fi);
	if
	:: !ok -> atomic { tf = 0; tk = 0; ti = 0; goto Get }
	:: else
	fi;
	/* The bytes are copied out, or looked at where they are. */
	atomic {
		r = BODY(tf, ti);
		assert(comm[r]);
#ifdef LEASE
		assert(deliv[r] == 0 || TIMES(w) > 0);
		deliv[r] = 1;
#else
		assert(deliv[r] == 0);
#endif
#ifdef ORDER
		if
		:: tf == f && ti == i && tk == k && TURN(w) == 0 ->
			assert(seen[r / K] <= r % K);
			seen[r / K] = r % K + 1
		:: else
		fi
#endif
	}
#if RETURNS
	if
	:: atomic { returns < RETURNS -> returns++ }
#ifdef M_RETURN_SILENT
		STORE(SLOT(tf, ti) = STATE(tk, FULL) | (TURN(w) + 1) << 5 | (TIMES(w) + 1) << 3;
		      r = 0; ok = 0; w = 0; tf = 0; tk = 0; ti = 0);
#else
		STORE(SLOT(tf, ti) = STATE(tk, FULL) | (TURN(w) + 1) << 5 | (TIMES(w) + 1) << 3);
		STORE(requeued++; r = 0; ok = 0; w = 0; tf = 0; tk = 0; ti = 0);
#endif
		goto Get
	:: skip
	fi;
#endif
#ifdef LEASE
	if
	:: !kept ->
#ifndef M_LEASE_NOT_WRITTEN_DOWN
		STORE(leases[me] = tf);
#endif
		atomic {
			kept = 1; hf = tf; hi = ti; hw = w;
			r = 0; ok = 0; w = 0; tf = 0; tk = 0; ti = 0;
			goto Get
		}
	:: true
	fi;
#endif
	if
	:: atomic {
		assert(SLOT(tf, ti) == w);
		SLOT(tf, ti) = STATE(tk, FREE);
#ifndef LEASE
		deliv[r]++;
#endif
		ndeliv++;
		r = 0; ok = 0; w = 0; tf = 0; tk = 0; ti = 0;
		goto Get
	   }
	:: DIE(me)
#if MAXSTOP
	:: atomic {
		stops < MAXSTOP -> stops++;
#ifndef LEASE
		stuck++;
		flag[r] = 1;
#endif
		goto Stopped
	   }
#endif
	fi;
Next:
	atomic {
		n = next[f];
		if
		:: ATSEG(n) == k -> skip
		:: ATSEG(n) > k -> n = 0; goto Lost
		:: else -> goto Wait
		fi
	}
	/* None of its slots was FULL, or what was has been requeued since. */
#ifndef M_READER_HEAD
	STORE(if :: head == AT(k, f) -> head = AT(k + 1, ATF(n)) :: else fi);
#endif
	atomic { tf = f; tk = k; k++; f = ATF(n); i = 0; n = 0 }
	retire(tf, tk);
	atomic { tf = 0; tk = 0; goto Slot }
Wait:
	if
	:: atomic { next[f] != n -> n = 0; goto Get }
	:: atomic { requeued != rem -> n = 0; goto Get }
#ifdef LEASE
	:: kept -> release_kept(); atomic { n = 0; goto Get }
	:: atomic { ALLDONE && !kept -> goto Leave }
#else
	:: atomic { ALLDONE -> goto Leave }
#endif
	OR_DIE
	fi;
Dead:
#ifdef LEASE
	atomic { kept = 0; hf = 0; hi = 0; hw = 0 }
#endif
	atomic {
		k = 0; f = 0; i = 0; rem = 0; r = 0; j = 0; n = 0; t = 0; w = 0; ok = 0;
		tk = 0; tf = 0; ti = 0
	}
	if
	:: atomic { !used[me] -> used[me] = 1; goto Begin }
#ifdef LEAVES
	:: atomic { gone < C - 1 -> gone++ }
#endif
	fi;
#if MAXSTOP
Stopped:
#endif
Leave:
	atomic {
#if CLOSE
		pending = 0;
#endif
		k = 0; f = 0; i = 0; rem = 0; r = 0; j = 0; n = 0; t = 0; w = 0; ok = 0;
		tk = 0; tf = 0; ti = 0; rdone++
	}
}

#if E
/* Gives the memory of frames back: its slots become zero. */
proctype Emptier(byte me)
{
	byte g, j, e;
	short w;

Begin:
	do
	:: e < E ->
		if
		:: atomic { FSTATE(frame[0]) == FREE -> g = 0; w = frame[0] }
		:: atomic { FSTATE(frame[1]) == FREE -> g = 1; w = frame[1] }
#if F > 2
		:: atomic { FSTATE(frame[2]) == FREE -> g = 2; w = frame[2] }
#endif
		:: atomic { true -> e = E; goto End }
		fi;
		STORE(holds[me] = g);
		STORE(if :: frame[g] == w -> w = FRAME(HELD, me, FTURN(w) + 1, FSEG(w)); frame[g] = w
			 :: else -> w = 0 fi);
		if
		:: w ->
			j = 0;
			do
			:: j < S -> STORE(SLOT(g, j) = 0; j++)
			:: else -> break
			od;
#ifdef M_EMPTY_NEXT
			next[g] = 0;
#endif
			STORE(frame[g] = FRAME(FREE, 0, FTURN(w), FSEG(w)))
		:: else
		fi;
		atomic { e++; g = 0; j = 0; w = 0 }
	:: else -> break
	od;
	goto End;
Dead:
	atomic { g = 0; j = 0; w = 0; e = E }
	atomic { !used[me] -> used[me] = 1 }
#if MAXSTOP
Stopped:
#endif
End:
	atomic { g = 0; j = 0; w = 0; e = 0; rdone++ }
}
#endif

#ifdef M_NO_RECHECK
#define RECHECK	skip
#else
#define RECHECK	atomic { if :: !used[x] || gen[x] != y -> goto Begin :: else fi }
#endif
#ifdef M_NO_TURN
#define UP(w) TURN(w)
#else
#define UP(w) (TURN(w) + 1)
#endif
/* Who is cleaning up takes nothing for itself, so that its death leaves nothing. */
#define CSTORE(z)	if :: atomic { z } :: atomic { crashes < MAXC -> crashes++; goto Begin } fi

proctype Cleaner()
{
	byte x, y, f, i, q;
	short w;

Begin:
	atomic { x = 0; y = 0; f = 0; i = 0; w = 0; q = 0 }
	if
	:: atomic { dead[0] -> x = 0; y = gen[0] }
	:: atomic { dead[1] -> x = 1; y = gen[1] }
#if SEATS > 2
	:: atomic { dead[2] -> x = 2; y = gen[2] }
#endif
#if SEATS > 3
	:: atomic { dead[3] -> x = 3; y = gen[3] }
#endif
#if SEATS > 4
	:: atomic { dead[4] -> x = 4; y = gen[4] }
#endif
#if SEATS > 5
#error "more seats"
#endif
	:: atomic { rdone == C + (E > 0) && (CLOSE -> wdone == P : ALLDONE) && !(dead[0] || dead[1] || dead[SEATS - 1] ||
		dead[SEATS - 2] || dead[SEATS - 3]) -> goto End }
	fi;
	/* 1: what it had taken */
#ifdef M_EARLY_REQUEUED
	CSTORE(requeued++);
#endif
	f = takes[x];
#ifdef LEASE
Slots:
#endif
	do
	:: f != NONE && i < S ->
		w = SLOT(f, i);
		if
		:: WHAT(w) == TAKEN && SEAT(w) == x ->
			RECHECK;
			CSTORE(if :: SLOT(f, i) == w -> SLOT(f, i) = STATE(SEG(w), FULL) |
				UP(w) << 5 | (TIMES(w) + LEASED(w)) << 3
				:: else fi)
		:: else
		fi;
		atomic { w = 0; i++ }
	:: else -> break
	od;
#ifdef LEASE
	if
	:: atomic { !q -> q = 1; i = 0; f = leases[x]; goto Slots }
	:: else
	fi;
	q = 0;
#endif
	/* 2: its frame */
	atomic { i = 0; f = holds[x] }
	if
	:: f != NONE ->
		w = frame[f];
		if
		:: FSEAT(w) == x && FSTATE(w) == LIVE ->
#ifdef M_HANGS_NEXT
			if
			:: atomic { next[prev[f]] == AT(FSEG(w) - 1, f) -> w = 0 }
			:: else
			fi
#elif defined M_HANGS
			skip
#else
			atomic { q = prev[f] }
			if
			:: atomic { next[q] == AT(FSEG(w) - 1, f) -> w = 0 }
			:: else
			fi;
			if
			:: atomic { w && head == AT(FSEG(w), f) -> w = 0 }
			:: else
			fi;
			if
			:: atomic { w && SEG(SLOT(f, 0)) == FSEG(w) -> w = 0 }
			:: else
			fi
#endif
		:: FSEAT(w) == x && FSTATE(w) == HELD
		:: else -> w = 0
		fi;
		if
		:: w ->
			RECHECK;
			CSTORE(if :: frame[f] == w -> frame[f] = FRAME(FREE, 0, FTURN(w), FSEG(w))
				:: else fi)
		:: else
		fi;
	:: else
	fi;
	atomic { f = 0; w = 0; q = 0 }
	/* 5, 6 */
#ifdef M_SEAT_FIRST
	CSTORE(if :: used[x] && gen[x] == y -> used[x] = 0; dead[x] = 0; gen[x]++ :: else fi);
	CSTORE(requeued++);
#else
#ifndef M_EARLY_REQUEUED
	CSTORE(requeued++);
#endif
	CSTORE(if :: used[x] && gen[x] == y -> used[x] = 0; dead[x] = 0; gen[x]++ :: else fi);
#endif
	goto Begin;
End:
	skip
}

init
{
	byte j, n, t, me, a;
	short w;

	atomic {
		a = 0;
		do
		:: a < SEATS -> used[a] = 1; holds[a] = NONE; takes[a] = NONE;
#ifdef LEASE
			leases[a] = NONE;
#endif
			a++
		:: else -> break
		od;
		a = 0;
		do
		:: a < S -> SLOT(0, a) = STATE(FIRST - 1, FREE); a++
		:: else -> break
		od;
		frame[0] = FRAME(LIVE, 0, 0, FIRST);
		head = AT(FIRST, 0);
		tail = AT(FIRST, 0);
#ifdef SCENE
		SLOT(0, 0) = STATE(FIRST, FREE);
		SLOT(1, 0) = STATE(FIRST + 1, TAKEN) | SCENE_DEAD << 7;
		SLOT(2, 0) = STATE(FIRST + 1, FREE);
		frame[1] = FRAME(LIVE, 0, 0, FIRST + 1);
		frame[2] = FRAME(LIVE, 0, 0, FIRST + 2);
		next[0] = AT(FIRST, 1);
		next[1] = AT(FIRST + 1, 2);
		prev[2] = 1;
		takes[SCENE_DEAD] = 1;
		dead[SCENE_DEAD] = 1;
		comm[0] = 1;
		ncomm = 1;
#endif
		a = 0;
		do
		:: a < P -> run Writer(a); a++
		:: else -> break
		od;
		a = 0;
		do
		:: a < C -> run Reader(P + a); a++
		:: else -> break
		od;
#if E
		run Emptier(P + C);
#endif
#if MAXC || defined(SCENE)
		a = 0;
		do
		:: a < R -> run Cleaner(); a++
		:: else -> break
		od;
#endif
		a = 0
	}
	(_nr_pr == 1);
	/* Nothing lost, nothing twice. */
	atomic {
		a = 0;
#if CLOSE
		/* What was put back when all readers had left is there for the next one. */
		do
		:: a < F * S ->
			if
			:: FSTATE(frame[a / S]) == LIVE && WHAT(slot[a]) == FULL &&
			   SEG(slot[a]) == FSEG(frame[a / S]) ->
				assert(TURN(slot[a]) > 0);
				flag[body[a]]++
			:: else
			fi;
			a++
		:: else -> break
		od;
		a = 0;
#endif
		do
		:: a < P * K -> assert(comm[a] == deliv[a] + flag[a]); a++
		:: else -> break
		od;
		a = 0
	}
#if !CLOSE
	/* Whoever looks once more finds all frames free but the last. */
	crashes = MAXC;
	stops = MAXSTOP;
	a = 0;
	do
	:: a < F * F -> if :: FSTATE(frame[a % F]) == LIVE -> me = FSEG(frame[a % F]); retire((a % F), me) :: else fi; a++
	:: else -> break
	od;
	atomic {
		j = 0; a = 0;
		do
		:: a < F ->
			if
			:: FSTATE(frame[a]) != FREE -> j++; assert(MAXSTOP || a == ATF(tail))
			:: else
			fi;
			a++
		:: else -> break
		od;
		assert(j >= 1 && j <= 1 + MAXSTOP)
	}
#endif
Dead:
#if MAXSTOP
Stopped:
#endif
	skip
}
