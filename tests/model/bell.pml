/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on the queue (doc/design/queue.md): the bell, the watch, and deep sleep.
 *
 * What there is to get is a number. A sleeper with a time limit can always wake up by itself; so what
 * Spin calls an invalid end is that somebody sleeps deep, for ever, with a message there. That a message
 * waits until such a limit is no error in here; how often that happens is for the benchmarks.
 *
 * Anybody may die before each step that others can see. "Inside" is stored without a fence: it may
 * become visible late, but before the next compare-and-swap of who stored it.
 */
#ifndef W
#define W 1		/* who calls, once each, and puts a message */
#endif
#ifndef Z
#define Z 2		/* sleepers */
#endif
#ifndef WATCHES
#define WATCHES 1
#endif
#ifndef MAXC
#define MAXC 1		/* deaths */
#endif
#ifndef QUIET
#define QUIET 2		/* how often nothing has happened for a second */
#endif

#define SEATS	(Z + W)
#define NOBODY	255

#define SILENT	0
#define ASLEEP	1
#define RUNG	2

/*
 * The bell has a count of its changes, which only matters for who compares. So instead of it: who
 * has read the word, and it has not changed since.
 */
byte bell;		/* SILENT, ASLEEP, RUNG */
bit notice;		/* somebody sleeps deep */
byte listened, looked;	/* to the bell, to sleep on it; to ring it: a bit each */
#define BIT(n)		(1 << (n))
#define BELL(s)		bell = s; listened = 0; looked = 0

byte watch[WATCHES];
bit inside[SEATS], late[SEATS];
byte items;

bit asleep[Z];		/* in the futex */
byte wakes;		/* of the futex, not yet given to anybody */
bit dead[SEATS];
byte crashes, gone, calls, quiet;

#define OVER	(items == 0 && calls == W)

#if Z == 2
#define SLEEPS	(asleep[0] + asleep[1])
#elif Z == 3
#define SLEEPS	(asleep[0] + asleep[1] + asleep[2])
#endif

/* 100 us pass: what was stored before is seen. */
#if SEATS == 3
#define SETTLE	atomic { \
	inside[0] = inside[0] | late[0]; inside[1] = inside[1] | late[1]; \
	inside[2] = inside[2] | late[2]; late[0] = 0; late[1] = 0; late[2] = 0 }
#elif SEATS == 4
#define SETTLE	atomic { \
	inside[0] = inside[0] | late[0]; inside[1] = inside[1] | late[1]; \
	inside[2] = inside[2] | late[2]; inside[3] = inside[3] | late[3]; \
	late[0] = 0; late[1] = 0; late[2] = 0; late[3] = 0 }
#endif

#define DIE	atomic { crashes < MAXC && (me >= Z || gone < Z - 1) -> \
		crashes++; dead[me] = 1; late[me] = 0; goto Dead }
#define STEP(x)	if :: atomic { x } :: DIE fi

/* Say that we are inside: seen at once, or later. */
#define BE_INSIDE	STEP(if :: inside[me] = 1 :: late[me] = 1 fi)
#define SEEN	inside[me] = inside[me] | late[me]; late[me] = 0

/* FUTEX_WAKE of one: whoever it is, and whether it was anybody. */
inline wake_one(ret)
{
	if
	:: asleep[0] -> asleep[0] = 0; ret = 1
	:: asleep[1] -> asleep[1] = 0; ret = 1
#if Z > 2
	:: asleep[2] -> asleep[2] = 0; ret = 1
#endif
	:: else -> ret = 0
	fi
}

inline wake_all()
{
	asleep[0] = 0;
	asleep[1] = 0;
#if Z > 2
	asleep[2] = 0;
#endif
}

/* Wake one, unless nobody sleeps or one is on its way. Locals: b, o. */
inline ring()
{
	STEP(b = bell; looked = looked | BIT(me));
	if
	:: b == ASLEEP ->
		STEP(b = 0;
		     if
		     :: looked & BIT(me) -> BELL(RUNG); looked = looked | BIT(me); b = 1; SEEN
		     :: else
		     fi);
		if
		:: b ->
			STEP(wake_one(o));
			if
			:: !o -> STEP(if :: looked & BIT(me) -> BELL(SILENT) :: else fi)
			:: else
			fi
		:: else
		fi
	:: else
	fi;
	atomic { b = 0; o = 0; looked = looked & ~BIT(me) }
}

/* Another one may be woken now. */
inline heard()
{
	STEP(if :: bell == RUNG -> BELL(ASLEEP) :: else fi)
}

inline ring_all()
{
	STEP(BELL(SILENT); SEEN);
	STEP(wake_all())
}

/* Wake those who sleep deep. To clear it is last: who dies before leaves it to the next. */
inline rouse()
{
#ifdef M_CLEAR_FIRST
	STEP(notice = 0);
	ring_all()
#else
	ring_all();
	STEP(notice = 0)
#endif
}

proctype Caller(byte me)
{
	byte b, d;
	bit o;

	BE_INSIDE;
#ifndef M_NO_ROUSE
	STEP(d = notice);
	if
	:: d -> rouse()
	:: else
	fi;
#endif
	STEP(d = 0; SEEN; items++);
	ring();
	STEP(inside[me] = 0; calls++);
	goto Over;
Dead:
	atomic { b = 0; o = 0; d = 0; calls++; looked = looked & ~BIT(me) }
Over:
	skip
}

#define BUSY(n)		((n) != me && inside[n] && !dead[n])
#define GONE(n, all)	((n) != me && dead[n] && (inside[n] || all))
/* Clean up after the dead of those who are inside, or of all: whether anybody was busy. */
inline look_around(all)
{
	busy = 0;
	do
	:: atomic { BUSY(0) || BUSY(1) || BUSY(2) || BUSY(SEATS - 1) -> busy = 1; break }
	:: atomic { GONE(0, all) || GONE(1, all) || GONE(2, all) || GONE(SEATS - 1, all) ->
		if
		:: GONE(0, all) -> i = 0
		:: GONE(1, all) -> i = 1
		:: GONE(2, all) -> i = 2
		:: GONE(SEATS - 1, all) -> i = SEATS - 1
		fi
	   }
		STEP(busy = 1;
		     if :: watch[0] == i -> watch[0] = NOBODY :: else fi;
#if WATCHES > 1
		     if :: watch[1] == i -> watch[1] = NOBODY :: else fi;
#endif
		     inside[i] = 0; dead[i] = 0; i = 0);
		heard();
		ring();
		break
	:: atomic { else -> break }
	od
}

#define SOMEDEAD	(dead[0] || dead[1] || dead[2] || dead[SEATS - 1])
#if WATCHES > 1
#define NOWATCH		(watch[0] == NOBODY || watch[1] == NOBODY)
#else
#define NOWATCH		(watch[0] == NOBODY)
#endif

proctype Sleeper(byte me)
{
	byte b, d, heed, before, i;
	bit o, busy, deep, mine, rang;

Begin:
	/* The watch, if it is nobody's. */
	STEP(if
	     :: !mine && watch[0] == NOBODY -> watch[0] = me; mine = 1
#if WATCHES > 1
	     :: !mine && watch[0] != NOBODY && watch[1] == NOBODY -> watch[1] = me; mine = 1
#endif
	     :: else
	     fi);
#ifndef M_LISTEN_LATE
	STEP(if :: bell == SILENT -> BELL(ASLEEP) :: else fi; heed = bell; listened = listened | BIT(me));
#endif
	/* Nothing has happened for long, or somebody sleeps deep already. */
	if
	:: atomic { notice }
#ifdef M_DEEP_UNSEEN
		deep = 1
#else
		goto Deep
#endif
	:: atomic { !notice && mine && quiet < QUIET -> quiet++ }
		look_around(1);
		if
		:: atomic { !busy && items == 0 }
			STEP(notice = 1);
Deep:
#ifndef M_NO_SETTLE
			SETTLE;
#endif
#ifndef M_NO_SECOND_LOOK
			look_around(0);
#endif
			if
			:: atomic { !busy && items == 0 }
#ifdef M_DEEP_UNSET
				deep = 1
#else
				STEP(deep = notice)
#endif
			:: atomic { busy || items > 0 }
				rouse()
			fi
		:: atomic { busy || items > 0 }
		fi
	:: atomic { !notice }
	fi;
#ifdef M_LISTEN_LATE
	STEP(if :: bell == SILENT -> BELL(ASLEEP) :: else fi; heed = bell; listened = listened | BIT(me));
#endif
	atomic {
		busy = 0;
		if
		:: items > 0 -> goto Found
		:: else
		fi
	}
	/* Sleep, if the bell is as it was. */
	#ifdef M_NO_COUNT
	STEP(if :: bell == heed -> asleep[me] = 1 :: else fi);
#else
	STEP(if :: listened & BIT(me) -> asleep[me] = 1 :: else fi);
#endif
	if
	:: atomic { !asleep[me] }
	/* The time limit. Without any of these it does the same again. */
	:: atomic {
		asleep[me] && !deep && (items > 0 || SOMEDEAD || (!mine && NOWATCH) ||
		notice || (mine && quiet < QUIET) || bell == RUNG) -> asleep[me] = 0
	   }
	:: atomic { OVER -> asleep[me] = 0; goto Leave }
	:: DIE
	fi;
	STEP(
		before = (listened & BIT(me)) != 0;
		if
		:: !before -> rang = 1
		:: else
		fi;
		deep = 0;
		heed = 0;
		listened = listened & ~BIT(me);
#ifndef M_NOT_HEARD
		if :: bell == RUNG -> BELL(ASLEEP) :: else fi
#endif
	);
	atomic {
		if
		:: items > 0 -> goto Found
		:: mine && before
		:: else -> before = 0; goto Begin
		fi
	}
	look_around(0);
	heard();
	atomic { before = 0; busy = 0; goto Begin }
Found:
	atomic { before = 0; heed = 0; deep = 0; busy = 0 }
	BE_INSIDE;
	STEP(d = notice);
	if
	:: d -> rouse()
	:: else
	fi;
	d = 0;
#ifndef M_KEEP_WATCH
	if
	:: mine ->
		STEP(SEEN; mine = 0;
		     if :: watch[0] == me -> watch[0] = NOBODY :: else fi;
#if WATCHES > 1
		     if :: watch[1] == me -> watch[1] = NOBODY :: else fi
#endif
		     );
#if WATCHES > 1
		if
		:: watch[0] == NOBODY && watch[1] == NOBODY -> ring()
#else
		if
		:: watch[0] == NOBODY -> ring()
#endif
		:: else
		fi
	:: else
	fi;
#endif
	if
	:: rang && items > 1 -> ring()
	:: else
	fi;
	STEP(SEEN; rang = 0; if :: items > 0 -> items-- :: else fi);
	STEP(inside[me] = 0);
	if
	:: atomic { OVER -> goto Leave }
	:: else
	fi;
	goto Begin;
Dead:
	atomic { gone++; asleep[me] = 0; listened = listened & ~BIT(me); looked = looked & ~BIT(me) }
	goto Out;
Leave:
	skip;
Out:
	atomic { b = 0; d = 0; heed = 0; before = 0; i = 0; o = 0; busy = 0; deep = 0; mine = 0; rang = 0 }
}

init
{
	byte a;

	atomic {
		watch[0] = NOBODY;
#if WATCHES > 1
		watch[1] = NOBODY;
#endif
		a = 0;
		do
		:: a < Z -> run Sleeper(a); a++
		:: else -> break
		od;
		do
		:: a < SEATS -> run Caller(a); a++
		:: else -> break
		od;
		a = 0
	}
}
