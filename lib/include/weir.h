/* SPDX-License-Identifier: MIT */
/* All of weir. */
#ifndef WEIR_H
#define WEIR_H

#include <weir/barrier.h>
#include <weir/base.h>
#include <weir/array.h>
#include <weir/batch.h>
#include <weir/builder.h>
#include <weir/condition.h>
#include <weir/engine.h>
#include <weir/event.h>
#include <weir/handle.h>
#include <weir/listener.h>
#include <weir/lock.h>
#include <weir/object.h>
#include <weir/pipe.h>
#include <weir/process.h>
#include <weir/pump.h>
#include <weir/queue.h>
#include <weir/rwlock.h>
#include <weir/semaphore.h>
#include <weir/type.h>
#include <weir/value.h>
#include <weir/version.h>
#include <weir/waitset.h>

#endif
