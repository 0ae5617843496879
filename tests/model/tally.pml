/* SPDX-License-Identifier: MIT */
/*
 * The tally (doc/design/sync.md): units that parties take and give, one word that says what the
 * last of them has, and records of the others that are written back before the word leaves a party.
 *
 * What each party has in truth is kept beside it, and changed with the word; whoever reads the word
 * and the record must come to the same. Anybody may die before each step that others can see,
 * or stand there while all others go on. The two words of a pair are read one after the other. The
 * number does not come back: its wrap is not searched for.
 */
#ifndef U
#define U 3		/* threads */
#endif
#ifndef T
#define T 1		/* threads of a party: they die together */
#endif
#ifndef K
#define K 1		/* how often each takes, and gives */
#endif
#ifndef LIMIT
#define LIMIT 2
#endif
#ifndef MAXC
#define MAXC 1
#endif
#ifndef HEIR
#define HEIR 0		/* the name of a dead one is given to another */
#endif

#define PARTIES	((U + T - 1) / T)
#define NOBODY	PARTIES

/* The word. */
byte number, last = NOBODY, taken, has;
bit told;

/* The records, and the names: which generation has it; one that has died. */
byte r_number[PARTIES + 1], r_has[PARTIES + 1];
byte generation[PARTIES + 1];
bit dead[PARTIES + 1];	/* the party of now */
bit gone[PARTIES + 1];	/* that of the first generation, with all its threads */

byte truth[PARTIES + 1];
bit owed;		/* somebody died with units, they were given back, and nobody was told */
byte crashes, over;

#if HEIR
#define MINE_GONE	(gone[mine] && me < U)
#else
#define MINE_GONE	gone[mine]
#endif
#define DIE	atomic { !MINE_GONE && crashes < MAXC && me < U && crashes < PARTIES - 1 -> \
		crashes++; gone[mine] = 1; dead[mine] = 1; goto Dead }
#define STEP(x)	if :: atomic { !MINE_GONE -> x } :: atomic { MINE_GONE -> goto Dead } :: DIE fi

/* The word, and what party @p has by then. */
inline look(p)
{
	do
	:: STEP(v_number = number; v_last = last; v_taken = taken; v_has = has; v_told = told);
		if
		:: v_last == p -> mine_has = v_has
		:: else -> STEP(mine_has = r_has[p])
		fi;
		STEP(b = (v_number == number));
		if
		:: b -> break
		:: else
		fi
	od
}

/* @b: done, or nothing to do. */
inline write_back()
{
	STEP(o_number = r_number[v_last]);
	STEP(o_has = r_has[v_last]);
	if
	:: o_number == v_number && o_has == v_has -> b = 1
	:: else ->
#ifdef M_NO_STILL
		b = 1;
#else
		STEP(b = (v_number == number));
#endif
		if
		:: b ->
			STEP(if
#ifdef M_NO_NUMBER
			     :: r_has[v_last] == o_has ->
#else
			     :: r_number[v_last] == o_number && r_has[v_last] == o_has ->
#endif
				r_number[v_last] = v_number; r_has[v_last] = v_has
			     :: else ->
#ifdef M_FAILED_IS_DONE
				b = 1
#else
				b = (r_number[v_last] == v_number && r_has[v_last] == v_has)
#endif
			     fi)
		:: else
		fi
	fi;
	o_number = 0;
	o_has = 0
}

/* @b: the word says that party @p has @n. */
inline change(p, n, mark)
{
#ifdef M_NO_WRITE_BACK
	b = 1;
#else
	b = 1;
	if
	:: v_last != p && v_last != NOBODY -> write_back()
	:: else
	fi;
#endif
	if
	:: b ->
		STEP(if
		     :: number == v_number ->
			assert(mine_has == truth[p]);
			number = v_number + 1;
			last = p;
			taken = v_taken - mine_has + n;
			has = n;
			told = mark;
			truth[p] = n;
			assert(taken <= LIMIT)
		     :: else -> b = 0
		     fi)
	:: else
	fi
}

#define FORGET	v_number = 0; v_last = 0; v_taken = 0; v_has = 0; v_told = 0; mine_has = 0; b = 0

inline take()
{
	do
	:: look(mine);
		if
		:: v_taken == LIMIT -> break
		:: else
		fi;
		change(mine, mine_has + 1, 0);
		if
		:: atomic { b -> took = 1; assert(v_told == owed || dying); owed = 0; break }
		:: else
		fi
	od;
	atomic { FORGET }
}

inline give()
{
	do
	:: look(mine);
		change(mine, mine_has - 1, v_told);
		if
		:: b -> break
		:: else
		fi
	od;
	atomic { FORGET }
}

/* All that party @p has, which has died, then its name. */
inline settle(p)
{
	STEP(g = generation[p]; b = dead[p]);
	if
	:: b ->
		do
		:: look(p);
			if
			:: mine_has == 0 -> break
			:: else
			fi;
#ifndef M_NO_NAME
			STEP(b = (generation[p] == g));
			if
			:: !b -> break
			:: else
			fi;
#endif
			change(p, 0, 1);
			if
			:: b -> break
			:: else
			fi
		od;
		STEP(if
		     :: generation[p] == g -> generation[p]++; dead[p] = 0;
			assert(truth[p] == 0)
		     :: else
		     fi)
	:: else
	fi;
	atomic { FORGET; g = 0 }
}

proctype Thread(byte me; byte mine)
{
	byte v_number, v_last, v_taken, v_has, mine_has, o_number, o_has, g, k;
	bit b, v_told, took, dying;

	/* Who is told is looked at in the simple case only: what is owed changes with the word. */
	dying = 1;
	if
	:: me >= U ->
end_heir:
		generation[mine] > 0
	:: else
	fi;
	do
	:: k < K ->
		do
		:: !took ->
			take();
			if
			:: !took -> settle((mine + 1) % PARTIES)
			:: else
			fi;
			if
			:: !took && PARTIES > 2 -> settle((mine + 2) % PARTIES)
			:: else
			fi
		:: else -> break
		od;
		give();
		took = 0;
		k++
	:: else -> break
	od;
	/* Whoever has died since. */
	settle((mine + 1) % PARTIES);
	if
	:: PARTIES > 2 -> settle((mine + 2) % PARTIES)
	:: else
	fi;
Dead:
	atomic { FORGET; g = 0; k = 0; took = 0; dying = 0; o_number = 0; o_has = 0; over++ }
}

init
{
	byte i;

	atomic {
		do
		:: i < U -> run Thread(i, i / T); i++
		:: else -> break
		od;
#if HEIR
		run Thread(U, 0);
#endif
		i = 0
	}
	/* An heir may wait for ever, because nobody has died. */
	over >= U && (!HEIR || generation[0] == 0 || over == U + 1);
	/* All is there, but what dead ones have after whom nobody came. */
	i = 0;
	do
	:: i < PARTIES ->
		if
		:: last == i -> assert(has == truth[i])
		:: else -> assert(r_has[i] == truth[i])
		fi;
		assert(truth[i] == 0 || dead[i]);
		i++
	:: else -> break
	od
}
