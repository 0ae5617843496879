/* SPDX-License-Identifier: MIT */
/*
 * Wait sets that are armed for the messages of a queue (doc/design/queue.md): signals, those who
 * die, and those who clean up after them.
 *
 * What there is to get is a number; a getter holds one for a while. A set that was told to look
 * again after a while can always wake up by itself. So what Spin calls an invalid end is that a set
 * sleeps, with a message there, or in the hands of a dead one.
 *
 * Anybody may die before each step that others can see, but a set and the putter of its own
 * process, which would die with it. "Inside" becomes visible as late as it may: with the store that
 * says what one brings, or with the exchange that takes something.
 */
#ifndef P
#define P 1		/* putters, of one message each */
#endif
#ifndef G
#define G 1		/* getters */
#endif
#ifndef C
#define C 1		/* cleaners that are no sets */
#endif
#ifndef S
#define S 1		/* sets */
#endif
#ifndef MAXC
#define MAXC 1		/* deaths */
#endif
/* With OWN, putter 0 is of the process of set 0. */

#define SEATS	(P + G)
#define NONE	255

bit armed;
byte looked;		/* who has read the bell, and it has not changed since: a bit each */
#define BIT(n)		(1 << (n))

byte items, notice, crashes, over;
bit inside[SEATS], held[SEATS], dead[SEATS];
bit edge[S];

#define OTHERS	(P + G + C)

#if SEATS == 2
#define ANY(x)	(x[0] || x[1])
#elif SEATS == 3
#define ANY(x)	(x[0] || x[1] || x[2])
#endif
#ifdef OWN
#define MINE(n)	(me == P + G + C && (n) == 0)
#else
#define MINE(n)	false
#endif

#if SEATS == 2
#define BUSY	((inside[0] && !(MINE(0))) || inside[1])
#elif SEATS == 3
#define BUSY	((inside[0] && !(MINE(0))) || inside[1] || inside[2])
#endif

#if S == 1
#define EDGES	edge[0] = 1
#elif S == 2
#define EDGES	edge[0] = 1; edge[1] = 1
#endif

#define DIE	atomic { mortal && crashes < MAXC -> crashes++; goto Dead }
#define STEP(x)	if :: atomic { x } :: DIE fi

/* Whoever has read the bell finds it changed. */
#define BELL_CHANGES	looked = 0

/* Locals: b. */
inline signal()
{
	STEP(b = armed; looked = looked | BIT(me));
	do
	:: b ->
#ifdef M_CLEAR_FIRST
		STEP(b = 0;
		     if
		     :: looked & BIT(me) -> armed = 0; BELL_CHANGES; b = 1
		     :: else
		     fi);
		if
		:: b -> STEP(EDGES; b = 0); break
		:: else -> STEP(b = armed; looked = looked | BIT(me))
		fi
#else
		STEP(EDGES);
		STEP(if
		     :: looked & BIT(me) -> armed = 0; BELL_CHANGES; b = 0
		     :: else -> b = armed; looked = looked | BIT(me)
		     fi)
#endif
	:: else -> break
	od;
	atomic { b = 0; looked = looked & ~BIT(me) }
}

proctype Putter(byte me; bit mortal)
{
	bit b;

	STEP(inside[me] = 1);
#ifndef M_NO_FRONT
	signal();
#endif
	STEP(items++);
#ifndef M_NO_BEHIND
	signal();
#endif
	STEP(inside[me] = 0; over++);
	goto Out;
Dead:
	atomic { dead[me] = 1; b = 0; looked = looked & ~BIT(me); over++ }
Out:
	skip
}

proctype Getter(byte me; bit mortal)
{
	bit b, back;

	if
	:: back = 1
	:: back = 0
	fi;
	if
	:: atomic { items > 0 -> items--; held[me] = 1; inside[me] = 1 }
	:: goto Leave
	fi;
	if
	:: back ->
		/* A lease that is given back. */
		signal();
		STEP(held[me] = 0; items++);
		STEP(notice++);
		signal()
	:: !back ->
		STEP(held[me] = 0)
	fi;
Leave:
	STEP(inside[me] = 0; over++);
	goto Out;
Dead:
	atomic {
		dead[me] = 1; looked = looked & ~BIT(me); over++;
		/* Not inside, and nothing in hand: as one who has left. */
		if :: !inside[me] -> dead[me] = 0 :: else fi
	}
Out:
	atomic { b = 0; back = 0 }
}

#if SEATS == 3
#define PICK	if \
		:: dead[0] -> i = 0 \
		:: dead[1] -> i = 1 \
		:: dead[2] -> i = 2 \
		fi
#else
#define PICK	if \
		:: dead[0] -> i = 0 \
		:: dead[1] -> i = 1 \
		fi
#endif

/* Clean up after one of the dead. Locals: i. */
inline clean_up()
{
	atomic { ANY(dead) -> PICK }
	STEP(if :: held[i] -> held[i] = 0; items++ :: else fi);
#ifdef M_SEAT_FIRST
	STEP(inside[i] = 0; dead[i] = 0; i = NONE);
	STEP(notice++);
#else
	/* Another one may have finished; that it is counted twice is harmless. */
	STEP(if :: notice < 6 -> notice++ :: else fi);
	STEP(inside[i] = 0; dead[i] = 0; i = NONE);
#endif
	signal()
}

proctype Cleaner(byte me; bit mortal)
{
	bit b;
	byte i = NONE;

	if
	:: clean_up()
	/* Or there is none. */
	:: atomic { over >= P + G && !ANY(dead) }
	fi;
	STEP(over++);
	goto Out;
Dead:
	atomic { looked = looked & ~BIT(me); over++ }
Out:
	atomic { b = 0; i = NONE }
}

#define FINISHED	(over == OTHERS && items == 0 && !ANY(held))

proctype Set(byte me; bit mortal)
{
	byte before, i = NONE;
	bit b, again;

Begin:
	do
	:: atomic { items > 0 -> items-- }
	:: atomic { items == 0 -> break }
	od;
	/* Now and then. */
	if
	:: clean_up()
	:: skip
	fi;
#ifdef M_NO_COUNT
	atomic { if :: !armed -> armed = 1; BELL_CHANGES :: else fi };
#else
	atomic { armed = 1; BELL_CHANGES };
#endif
	before = notice;
#ifdef M_BUSY_FIRST
	again = BUSY;
#endif
#ifndef M_NO_LOOK
	atomic {
		if
		:: items > 0 -> before = 0; again = 0; goto Begin
		:: else
		fi
	}
#endif
#ifdef M_NO_BUSY
	again = 0;
#else
#ifndef M_BUSY_FIRST
	again = BUSY;
#endif
#endif
#ifndef M_NO_NOTICE
	atomic {
		if
		:: !again && notice != before -> again = 1
		:: else
		fi
	}
#endif
	/* Asleep: until it is told, or for 4 ms. */
	if
	:: atomic { edge[me - OTHERS] -> edge[me - OTHERS] = 0; before = 0; again = 0; goto Begin }
	:: atomic { again && !FINISHED -> before = 0; again = 0; goto Begin }
	:: atomic { FINISHED }
	fi;
Dead:
	atomic { before = 0; again = 0; b = 0; i = NONE }
}

init
{
	byte a;

	atomic {
		a = 0;
		do
		:: a < P ->
#ifdef OWN
			run Putter(a, a > 0);
#else
			run Putter(a, 1);
#endif
			a++
		:: else -> break
		od;
		do
		:: a < P + G -> run Getter(a, 1); a++
		:: else -> break
		od;
		do
		:: a < OTHERS -> run Cleaner(a, 1); a++
		:: else -> break
		od;
		do
		:: a < OTHERS + S -> run Set(a, 0); a++
		:: else -> break
		od;
		a = 0
	}
}
