# SPDX-License-Identifier: MIT
"""
The processes of python-pipe and python-queue: Python programs that send bytes through
multiprocessing, filling and checking each message as the other mechanisms' processes do; and those
of python-lock and python-value, which share a Lock, a Value or an Array.

	python3 -c PROGRAM MECHANISM SIZE TOUCH FAULT PRODUCERS FD0 FD1...

This process is the first, the others are its children. PRODUCERS is 0 for two, each of which can
send to the other; else so many processes send through one object, and all others receive. Each is
told by its worker, through a socket, to do one loop at a time, and answers with what came of it;
both sleep there meanwhile. python.c has the other end of the socket, and bench/pattern.h says what
is in a message.

A message is one large integer: word i is f + i, f = header * MULT, so all of them together are
f * ONES + BASE, and the next message differs from it by a constant. That is the cheapest way that
Python has to write every byte anew. The reader makes what it expects in the same way and compares
all bytes; whatever is not equal goes back to the worker, which judges it.
"""

import array
import errno
import fcntl
import math
import mmap
import os
import random
import resource
import signal
import socket
import struct
import sys
import time
import traceback

import multiprocessing

M64 = (1 << 64) - 1
MULT = 0x9E3779B97F4A7C15
END = 0xFFFF << 48
LAST = END + 1  # behind the end markers of all producers
FAR_AHEAD = 1 << 32
STAMP_EVERY = 4096
STAMPS = 4096
HARMED = 500
F_GETPIPE_SZ = 1032

COMMAND = struct.Struct("<qqqqqdqQqq")
ANSWER = struct.Struct("<17q")
HELLO = struct.Struct("<3q")
STAMP = struct.Struct("<Qq")

stop = False


def on_timer(_signal, _frame):
    global stop
    stop = True


class Shape:
    """Messages of one size."""

    def __init__(self, size, touch):
        words = size // 8
        step = {"full": 1, "wide": 1, "line": 8}.get(touch, words + 1)
        self.size = size
        self.words = range(step, words, step)
        self.tail = touch != "none" and size % 8 != 0 and words % step == 0
        ones = array.array("Q", bytes(8 * (words + 1)))
        base = array.array("Q", ones)
        for word in self.words:
            ones[word] = 1
            base[word] = word
        if self.tail:
            ones[words], base[words] = 1, words
        self.ones = int.from_bytes(ones.tobytes(), "little")
        self.base = int.from_bytes(base.tobytes(), "little")
        self.mask = (1 << 8 * size) - 1 if self.tail else 0

    def exact(self, header):
        """A message with words that overflow."""
        factor = header * MULT & M64
        words = array.array("Q", bytes(self.size // 8 * 8))
        words[0] = header
        for word in self.words:
            words[word] = factor + word & M64
        tail = (factor + self.size // 8 & M64).to_bytes(8, "little") if self.tail else bytes(8)
        return words.tobytes() + tail[:self.size % 8]

    def messages(self, header):
        """That message and those after it, without an end."""
        size, mask = self.size, self.mask
        factor = header * MULT & M64
        value = factor * self.ones + self.base + header
        up = MULT * self.ones + 1
        down = up - (self.ones << 64)
        last = M64 - size // 8
        while True:
            if factor > last:
                yield self.exact(header)
            elif mask:
                yield (value & mask).to_bytes(size, "little")
            else:
                yield value.to_bytes(size, "little")
            header += 1
            factor += MULT
            if factor > M64:
                factor -= 1 << 64
                value += down
            else:
                value += up

    def sum(self, message):
        """Of the words that are touched."""
        words = array.array("Q", message[:self.size // 8 * 8])
        total = words[0] + sum(words[word] for word in self.words)
        if self.tail:
            total += int.from_bytes(message[self.size // 8 * 8:], "little")
        return total & M64


class Reader:
    """What one side receives from one producer, over all passes."""

    def __init__(self, shape, producer):
        self.shape = shape
        self.next = producer << 48
        self.events = array.array("Q")

    def begin(self):
        """The contents to expect."""
        self.events = array.array("Q")
        return self.shape.messages(self.next)

    def odd_one(self, message, header):
        """One of several producers that was not as expected."""
        if len(message) != self.shape.size:
            raise OSError(errno.EMSGSIZE, f"{len(message)} bytes came")
        self.events.extend((header, 0, self.shape.sum(message)))

    def several(self, headers):
        """Messages of several producers that were as expected."""
        for header in headers:
            self.events.extend((header, 1, 0))

    def seen(self, count):
        """Messages that were as expected."""
        if count:
            self.events.extend((self.next, count, 0))
            self.next += count

    def odd(self, message, seen):
        """One that was not, after @seen that were; returns whether it is the end."""
        self.seen(seen)
        if len(message) != self.shape.size:
            raise OSError(errno.EMSGSIZE, f"{len(message)} bytes came")
        header = int.from_bytes(message[:8], "little")
        if header == END:
            return True
        total = self.shape.sum(message)
        self.events.extend((header, 0, total))
        sound = message == next(self.shape.messages(header))
        if sound and self.next < header < self.next + FAR_AHEAD:
            self.next = header + 1
        elif not sound and header == self.next:
            self.next += 1
        return False


class Side:
    """One of the two processes."""

    def __init__(self, shape, number, way, stamps):
        self.shape = shape
        self.number = number
        self.headers = array.array("Q")
        self.send, self.receive = way
        self.stamps = stamps
        self.sent = 0
        self.reader = Reader(shape, 0 if number else 1)
        self.latencies = array.array("q")
        self.late = 0
        self.end = 0

    def outgoing(self):
        """The messages that this side sends next."""
        return self.shape.messages((self.number << 48) + self.sent)

    def finish(self, command):
        """The writer's last message, unless the number of messages is known."""
        if command.until_end:
            self.send(next(self.shape.messages(END)))

    def stream_send(self, command):
        send, limit, contents = self.send, command.limit, self.outgoing()
        sequence, done = self.sent, 0
        while done < limit and not stop:
            message = next(contents)
            if sequence % STAMP_EVERY == 0:
                slot = sequence // STAMP_EVERY % STAMPS * STAMP.size
                STAMP.pack_into(self.stamps, slot, sequence, time.monotonic_ns())
            send(message)
            sequence += 1
            done += 1
        self.sent = sequence
        self.finish(command)
        return done

    def stream_recv(self, command):
        receive, expected, reader = self.receive, command.expected, self.reader
        contents = reader.begin()
        wanted = next(contents)
        done = seen = 0
        while done < expected:
            message = receive()
            if message == wanted:
                if (reader.next + seen) % STAMP_EVERY == 0:
                    self.transit(reader.next + seen)
                seen += 1
                wanted = next(contents)
            elif reader.odd(message, seen):
                seen = 0
                break
            else:
                seen = 0
                contents = self.shape.messages(reader.next)
                wanted = next(contents)
            done += 1
        self.end = time.monotonic_ns()
        reader.seen(seen)
        return done

    def transit(self, sequence):
        """How long a message was on its way."""
        slot = sequence // STAMP_EVERY % STAMPS * STAMP.size
        stamped, sent = STAMP.unpack_from(self.stamps, slot)
        if stamped == sequence:
            self.latencies.append(time.monotonic_ns() - sent)

    def rtt_ping(self, command):
        send, receive, limit, reader = self.send, self.receive, command.limit, self.reader
        contents, answers = self.outgoing(), reader.begin()
        clocked, now, record = command.clocked, time.monotonic_ns, self.latencies.append
        done = seen = 0
        last = now()
        while done < limit and not stop:
            send(next(contents))
            message = receive()
            if message == next(answers):
                seen += 1
            else:
                reader.odd(message, seen)
                seen = 0
                answers = self.shape.messages(reader.next)
            if clocked:
                time_now = now()
                record(time_now - last)
                last = time_now
            done += 1
        self.end = now()
        self.sent += done
        reader.seen(seen)
        self.finish(command)
        return done

    def rtt_pong(self, command):
        send, receive, reader = self.send, self.receive, self.reader
        expected = command.expected
        contents, answers = reader.begin(), self.outgoing()
        done = seen = 0
        while done < expected:
            message = receive()
            if message == next(contents):
                seen += 1
            elif reader.odd(message, seen):
                seen = 0
                break
            else:
                seen = 0
                contents = self.shape.messages(reader.next)
            send(next(answers))
            done += 1
        self.end = time.monotonic_ns()
        self.sent += done
        reader.seen(seen)
        return done

    def mpmc_send(self, command):
        send, limit, contents = self.send, command.limit, self.outgoing()
        header, done = (self.number << 48) + self.sent, 0
        while done < limit and not stop:
            message = next(contents)
            if header % STAMP_EVERY == 0:
                STAMP.pack_into(self.stamps, stamp_at(header), header, time.monotonic_ns())
            send(message)
            header += 1
            done += 1
        self.sent += done
        self.finish(command)
        return done

    def mpmc_recv(self, command):
        receive, shape, number, reader = self.receive, self.shape, int.from_bytes, self.reader
        ones, base, size = shape.ones, shape.base, shape.size
        last = 0 if shape.mask else M64 - size // 8
        reader.begin()
        done = 0
        while True:
            message = receive()
            header = number(message[:8], "little")
            factor = header * MULT & M64
            if header >= END:
                if header == LAST:
                    break
                self.end_marker()
                continue
            if factor > last:
                wanted = next(shape.messages(header))
            else:
                wanted = (factor * ones + base + header).to_bytes(size, "little")
            if message == wanted:
                self.headers.append(header)
                if header % STAMP_EVERY == 0:
                    self.transit_of(header)
            else:
                reader.several(self.headers)
                self.headers = array.array("Q")
                reader.odd_one(message, header)
            done += 1
        self.end = time.monotonic_ns()
        return done

    def end_marker(self):
        """
        One producer is done. What several put into a queue comes in no certain order, since each
        has a thread that sends it; so the reader of the last marker tells all readers.
        """
        with ENDED.get_lock():
            ENDED.value += 1
            everybody = ENDED.value % PRODUCERS == 0
        if everybody:
            for _ in range(len(SOCKETS) - PRODUCERS):
                self.send(next(self.shape.messages(LAST)))

    def transit_of(self, header):
        """How long a message of one of several producers was on its way."""
        stamped, sent = STAMP.unpack_from(self.stamps, stamp_at(header))
        if stamped == header:
            self.latencies.append(time.monotonic_ns() - sent)

    def schedule(self, command):
        """When each message is due; the same in both processes."""
        chance = random.Random(command.seed)
        offset = 0.0
        for k in range(1 << 62):
            if not command.poisson:
                yield command.start + int(k * command.interval)
                continue
            offset -= math.log(1.0 - chance.random()) * command.interval
            yield command.start + int(offset)

    def oneway_send(self, command):
        contents, schedule, now = self.outgoing(), self.schedule(command), time.monotonic_ns
        done = 0
        while done < command.limit and not stop:
            message, due = next(contents), next(schedule)
            if now() - due > command.interval:
                self.late += 1
            while now() < due and not stop:
                pass
            if stop:
                break
            self.send(message)
            done += 1
        self.sent += done
        self.finish(command)
        return done

    def oneway_recv(self, command):
        reader, schedule, now = self.reader, self.schedule(command), time.monotonic_ns
        contents = reader.begin()
        wanted = next(contents)
        done = seen = 0
        while done < command.expected:
            message = self.receive()
            came = now()
            if message == wanted:
                seen += 1
                wanted = next(contents)
            elif reader.odd(message, seen):
                seen = 0
                break
            else:
                seen = 0
                contents = self.shape.messages(reader.next)
                wanted = next(contents)
            self.end = came
            self.latencies.append(came - next(schedule))
            done += 1
        reader.seen(seen)
        return done


class Sharer(Side):
    """One of the processes that share something: SHARED, with COUNTER and OVER beside it."""

    def __init__(self, shape, number, way, stamps):
        super().__init__(shape, number, way, stamps)
        self.header = 0
        self.passes = 0
        self.counter = self.torn = self.back = 0

    def acts(self, command, act):
        """As acts() in acts.h."""
        limit, think, now, record = command.limit, command.think, time.monotonic_ns, None
        if command.clocked:
            record = self.latencies.append
        done = 0
        while done < limit and not stop:
            if record:
                begin = now()
                act()
                record(now() - begin)
            else:
                act()
            done += 1
            if think:
                spin(think)
        self.end = now()
        self.sent += done
        return done

    def lock(self, command):
        acquire, release, counter, hold = SHARED.acquire, SHARED.release, COUNTER, command.hold
        if FAULT == "loss":
            acquire, release = int, int

        def act():
            acquire()
            count = counter[0]
            if hold:
                spin(hold)
            counter[0] = count + 1
            release()

        if hold or command.think or command.clocked or FAULT != "none":
            done = self.acts(command, act)
        else:
            done = self.lock_fast(command)
        self.counter = counter[0]
        return done

    def lock_fast(self, command):
        """The same without what costs time in Python although it is not there."""
        acquire, release, counter, limit = SHARED.acquire, SHARED.release, COUNTER, command.limit
        done = 0
        while done < limit and not stop:
            acquire()
            counter[0] += 1
            release()
            done += 1
        self.end = time.monotonic_ns()
        self.sent += done
        return done

    def increment(self, command):
        shared = SHARED
        get_lock = shared.get_lock

        def act():
            with get_lock():
                shared.value += 1

        if command.clocked:
            done = self.acts(command, act)
        else:
            done, limit = 0, command.limit
            while done < limit and not stop:
                with get_lock():
                    shared.value += 1
                done += 1
            self.end = time.monotonic_ns()
            self.sent += done
        self.counter = shared.value
        return done

    def read(self, command):
        get, check, before = GET, self.check, b""
        limit, now, done = command.limit, time.monotonic_ns, 0
        record = self.latencies.append if command.clocked else None
        if FAULT == "corrupt":
            get = lambda: GET()[:-1] + b"?"
        while done < limit and not stop:
            begin = now() if record else 0
            data = get()
            if data != before:
                check(data)
                before = data
            if record:
                record(now() - begin)
            done += 1
        self.end = now()
        self.sent += done
        OVER[0] += 1
        return done

    def check(self, data):
        """A value that is another one than before."""
        header = int.from_bytes(data[:8], "little")
        if data != next(self.shape.messages(header)):
            self.torn += 1
        elif header < self.header:
            self.back += 1
        self.header = header

    def write(self, _command):
        """Until the reader is done with as many passes as this side has begun."""
        self.passes += 1
        contents = self.shape.messages(self.header + 1)
        while OVER[0] < self.passes:
            SET(next(contents))
            self.header += 1
        self.end = time.monotonic_ns()
        return 0


class Command:
    """What to do; the fields of struct command in python.c."""

    def __init__(self, data):
        (self.loop, self.limit, self.expected, self.duration, self.start, self.interval,
         self.flags, self.seed, self.hold, self.think) = COMMAND.unpack(data)
        self.until_end = self.expected < 0
        if self.until_end:
            self.expected = 1 << 62
        self.clocked = bool(self.flags & 1)
        self.poisson = bool(self.flags & 2)


def stamp_at(header):
    """Where a message of a producer is stamped."""
    slot = (header & (1 << 48) - 1) // STAMP_EVERY % STAMPS
    return ((header >> 48) % max(PRODUCERS, 1) * STAMPS + slot) * STAMP.size


def spin(duration):
    """By the clock."""
    until = time.monotonic_ns() + duration
    while time.monotonic_ns() < until:
        pass


def cost():
    """CPU time, switches and faults of this process up to now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (time.process_time_ns(), used.ru_nvcsw, used.ru_nivcsw, used.ru_minflt, used.ru_majflt)


def read_all(worker, size):
    data = b""
    while len(data) < size:
        part = worker.recv(size - len(data))
        if not part:
            os._exit(0)
        data += part
    return data


def perform(side, loops, command):
    """One loop; returns the answer to the worker."""
    global stop
    stop = False
    side.latencies = array.array("q")
    side.late = 0
    sent = side.sent
    before = cost()
    begin = time.monotonic_ns()
    if command.duration:
        signal.setitimer(signal.ITIMER_REAL, command.duration / 1e9)
    done = loops[command.loop](command)
    signal.setitimer(signal.ITIMER_REAL, 0)
    used = [after - earlier for after, earlier in zip(cost(), before)]
    side.reader.several(side.headers)
    side.headers = array.array("Q")
    events = side.reader.events
    shared = (0, 0, 0)
    if isinstance(side, Sharer):
        shared = (side.counter, side.torn, side.back)
        side.torn = side.back = 0
    return ANSWER.pack(0, begin, side.end, done, side.sent - sent, side.late, len(events) // 3,
                       len(side.latencies), 0, *used, *shared) + \
        events.tobytes() + side.latencies.tobytes()


def failure(error):
    """The answer when something was raised."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip().encode()[:180]
    number = getattr(error, "errno", None) or errno.EIO
    return ANSWER.pack(-number, 0, 0, 0, 0, 0, 0, 0, len(text), *(0,) * 8) + text


def serve(side, worker, attempt):
    """Do what the worker says until it is gone."""
    loops = (side.stream_send, side.stream_recv, side.rtt_ping, side.rtt_pong, side.oneway_send,
             side.oneway_recv, attempt, side.mpmc_send, side.mpmc_recv)
    if isinstance(side, Sharer):
        loops += (side.lock, side.increment, side.read, side.write)
    signal.signal(signal.SIGALRM, on_timer)
    while True:
        command = Command(read_all(worker, COMMAND.size))
        try:
            answer = perform(side, loops, command)
        except Exception as error:  # whatever it is, the worker reports it
            answer = failure(error)
        worker.sendall(answer)


def harmed(send, fault):
    """send() that plants a fault in one message, for the self-test."""
    count = 0
    held = []

    def plant(message):
        if fault == "duplicate":
            send(message)
            send(message)
        elif fault == "reorder":
            held.append(message)
        elif fault == "corrupt":
            middle = len(message) // 2
            send(message[:middle] + bytes([message[middle] ^ 1]) + message[middle + 1:])
        elif fault == "stall":
            while True:
                signal.pause()
        elif fault == "crash":
            os.abort()

    def wrapped(message):
        nonlocal count
        count += 1
        if count == HARMED + 1:
            plant(message)
            return
        send(message)
        while held:
            send(held.pop())

    return wrapped


def make_pipe():
    """The ways of both sides: send(bytes), receive(), and one try to send for the first side."""
    first, second = multiprocessing.Pipe()

    def attempt(_command):
        os.set_blocking(first.fileno(), False)
        first.send_bytes(bytes(SHAPE.size))
        return 1

    with socket.socket(fileno=os.dup(first.fileno())) as same:
        capacity = same.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    ends = (first, second)
    ways = [(end.send_bytes, end.recv_bytes) for end in ends]
    return ways, attempt, (capacity, 2 * capacity), lambda number: ends[1 - number].close()


def make_queue():
    """The same with two queues, one for each direction."""
    there, back = CONTEXT.Queue(), CONTEXT.Queue()
    pipe = os.pipe()
    memory = fcntl.fcntl(pipe[1], F_GETPIPE_SZ)  # of that inside a queue; the rest has no limit
    for end in pipe:
        os.close(end)
    ways = [(there.put, back.get), (back.put, there.get)]
    if PRODUCERS:
        ways = [(there.put, there.get)] * len(SOCKETS)
    return ways, None, (0, memory), lambda number: None


def make_lock():
    """No ways: a lock, and what is counted with it."""
    global SHARED
    SHARED = CONTEXT.Lock()
    return [(None, None)] * len(SOCKETS), None, (0, 32), lambda number: None


def make_value():
    """A Value of 8 bytes, or an Array of more; as bytes in both cases."""
    global SHARED, GET, SET
    if SHAPE.size == 8:
        SHARED = CONTEXT.Value("Q", 0)
        GET = lambda: SHARED.value.to_bytes(8, "little")
        SET = lambda data: setattr(SHARED, "value", int.from_bytes(data, "little"))
    else:
        SHARED = CONTEXT.Array("c", SHAPE.size)
        GET = lambda: SHARED.raw
        SET = lambda data: setattr(SHARED, "raw", data)
        SET(next(SHAPE.messages(0)))
    return [(None, None)] * len(SOCKETS), None, (0, SHAPE.size), lambda number: None


def die_with_parent(parent):
    """Nothing may stay behind: also when this process sleeps in a queue."""
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def run_side(number, ways, others, stamps, attempt, descriptors, parent):
    """Be one of the processes: never returns."""
    if number:
        die_with_parent(parent)
    for other, descriptor in enumerate(descriptors):
        if other != number:
            os.close(descriptor)
    worker = socket.socket(fileno=descriptors[number])
    others(number)
    send, receive = ways[number]
    if FAULT != "none" and number == 0 and SHARED is None:
        send = harmed(send, FAULT)
    side = (Side if SHARED is None else Sharer)(SHAPE, number, (send, receive), stamps)
    worker.sendall(HELLO.pack(os.getpid(), *MEMORY))
    serve(side, worker, attempt)


CONTEXT = multiprocessing.get_context("fork")
SHAPE = Shape(int(sys.argv[2]), sys.argv[3])
FAULT = sys.argv[4]
PRODUCERS = int(sys.argv[5])
SOCKETS = [int(word) for word in sys.argv[6:]]
ENDED = CONTEXT.Value("Q", 0) if PRODUCERS else None
SHARED = GET = SET = None
COUNTER, OVER = (memoryview(mmap.mmap(-1, 4096)).cast("Q") for _ in range(2))
WAYS, ATTEMPT, MEMORY, OTHERS = {"pipe": make_pipe, "queue": make_queue, "lock": make_lock,
                                 "value": make_value}[sys.argv[1]]()
STAMP_MEMORY = mmap.mmap(-1, STAMPS * STAMP.size * max(PRODUCERS, 1))
for sibling in range(1, len(SOCKETS)):
    CONTEXT.Process(target=run_side, args=(sibling, WAYS, OTHERS, STAMP_MEMORY, ATTEMPT, SOCKETS,
                                           os.getpid())).start()
run_side(0, WAYS, OTHERS, STAMP_MEMORY, ATTEMPT, SOCKETS, 0)
