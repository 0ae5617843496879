/* SPDX-License-Identifier: MIT */
/*
 * The lock (doc/design/sync.md): taking it, giving it back, and what becomes of it when its holder
 * dies, with parties whose names are used again.
 *
 * Who waits can look around at any time, so nobody sleeps in here. Anybody may die before each step
 * that others can see, also while he cleans up after another. The generation has as many values as
 * the name is used again here: its wrap is not searched for.
 */
#ifndef U
#define U 3		/* who acquires, once after the other: processes */
#endif
#ifndef P
#define P 2		/* parties: fewer, so that names are used again */
#endif
#ifndef K
#define K 1		/* how often each acquires */
#endif
#ifndef MAXC
#define MAXC 1		/* deaths */
#endif

#define NOBODY	0

/* The word. */
byte holder;		/* party + 1, or NOBODY */
byte held_by;		/* its generation */
bit told;		/* free, and the next is to be told */

/* The names. */
byte owner[P];		/* process + 1, or NOBODY */
byte generation[P];

bit dead[U];
byte crashes, over;
byte inside;		/* processes that are alive and have it */
bit broken;		/* its last holder died with it, and nobody was told */

#define HOLDS(p, g)	(holder == (p) + 1 && held_by == (g))
/* Where the word is compared, the mutant leaves out the generation. */
#ifdef M_NO_GENERATION
#define SAYS(p, g)	(holder == (p) + 1)
#else
#define SAYS(p, g)	HOLDS(p, g)
#endif

/* The last one does not die: somebody must be there to be told. */
#define DIE	atomic { crashes < MAXC && crashes < U - 1 -> crashes++; dead[me] = 1; \
		if :: seated && HOLDS(mine, my_gen) -> broken = 1 :: else fi; \
		if :: has -> inside-- :: else fi; goto Dead }
#define STEP(x)	if :: atomic { x } :: DIE fi

/* Make it free if it is that party's. */
inline abandon(p, g)
{
	STEP(b = SAYS(p, g));
	if
	:: b ->
#ifdef M_NO_COMPARE
		STEP(holder = NOBODY; told = 1)
#else
		STEP(if
		     :: SAYS(p, g) -> holder = NOBODY; held_by = 0; told = 1
		     :: else
		     fi)
#endif
	:: else
	fi
}

/* Clean up after a party, if it has died. */
inline mend(p)
{
	STEP(o = owner[p]; g = generation[p]);
	if
	:: o != NOBODY && dead[o - 1] ->
		abandon(p, g);
		STEP(if
		     :: owner[p] == o && generation[p] == g -> owner[p] = NOBODY; generation[p]++
		     :: else
		     fi)
	:: else
	fi;
	o = 0;
	g = 0;
	b = 0
}

/* Has the holder died? Who is not there any more has, or has given it back. */
inline look_after()
{
	STEP(o = holder; g = held_by);
	if
	:: o != NOBODY ->
		STEP(b = owner[o - 1] == NOBODY || dead[owner[o - 1] - 1] || generation[o - 1] != g);
		if
		:: b ->
			STEP(if
			     :: SAYS(o - 1, g) -> holder = NOBODY; held_by = 0; told = 1
			     :: else
			     fi)
		:: else
		fi
	:: else
	fi;
	o = 0;
	g = 0;
	b = 0
}

proctype User(byte me)
{
	byte mine, my_gen, o, g, k;
	bit b, seated, has, was_told;

Sit:
	if
	:: owner[0] == NOBODY -> mine = 0
	:: P > 1 && owner[P - 1] == NOBODY -> mine = P - 1
	:: owner[0] != NOBODY -> mend(0); goto Sit
	:: P > 1 && owner[P - 1] != NOBODY -> mend(P - 1); goto Sit
	fi;
	STEP(if
	     :: owner[mine] == NOBODY -> owner[mine] = me + 1; my_gen = generation[mine]; seated = 1
	     :: else
	     fi);
	if
	:: !seated -> goto Sit
	:: else
	fi;
	do
	:: k < K ->
Again:
		if
		:: holder == NOBODY ->
			STEP(if
			     :: holder == NOBODY ->
				holder = mine + 1; held_by = my_gen; has = 1;
#ifdef M_NOT_TOLD
				was_told = 0;
#else
				was_told = told;
#endif
				told = 0;
				inside++;
				assert(inside == 1);
				/* Exactly those are told who come after a death. */
				assert(was_told == broken);
				broken = 0
			     :: else
			     fi);
			if
			:: !has -> goto Again
			:: else
			fi
		:: holder != NOBODY -> look_after(); goto Again
		fi;
		STEP(assert(HOLDS(mine, my_gen)); holder = NOBODY; held_by = 0; has = 0; inside--);
		was_told = 0;
		k++
	:: else -> break
	od;
	/* Leaving. */
	STEP(seated = 0; owner[mine] = NOBODY; generation[mine]++);
Dead:
	over++
}

init
{
	atomic {
		byte i = 0;
		do
		:: i < U -> run User(i); i++
		:: else -> break
		od
	}
	over == U;
	/* Nobody alive has it; of the dead it may still say so, and the next one would find out. */
	assert(inside == 0);
	assert(!broken || told || (holder != NOBODY &&
	       (owner[holder - 1] == NOBODY || dead[owner[holder - 1] - 1] ||
		generation[holder - 1] != held_by)))
}
