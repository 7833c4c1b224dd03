/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.c - see init.h.
 */
#include "init.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "eng.h"
#include "log.h"
#include "process.h"
#include "ready.h"
#include "shared.h"
#include "signal.h"

#define SENTENCE_BYTES 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct conf conf;           /* the engine borrows its strings while it opens */
static atomic_bool is_loaded;      /* conf is whole; written under the lock */

bool init_is_inside(void)
{
	return signal_self.held || engine_is_own_thread();
}

/* A program that tries again hears of the same failure only once. */
static void complain(const char *sentence)
{
	static char last[SENTENCE_BYTES];

	if (!strcmp(last, sentence))
		return;
	snprintf(last, sizeof(last), "%s", sentence);
	log_sentence(LOG_ERR, sentence);
}

static void say_attached(struct engine *e)
{
	char what[SENTENCE_BYTES];

	engine_describe(e, what, sizeof(what));
	log_event(LOG_INFO, "attached to %s", what);
}

/* The caller's cancel state, for give_lock(). */
static int take_lock(void)
{
	int cancel = signal_uncancel();

	signal_hold();
	pthread_mutex_lock(&lock);
	return cancel;
}

static void give_lock(int cancel)
{
	pthread_mutex_unlock(&lock);
	signal_release();
	signal_recancel(cancel);
}

static int load(char *sentence, size_t len)
{
	int r = atomic_load(&is_loaded) ? 0 : conf_load(&conf, sentence, len);

	if (r)
		return r;
	if (!atomic_exchange(&is_loaded, true))
		log_setup(conf.log_level, conf.log_file);
	return 0;
}

const struct rules *init_rules(void)
{
	char sentence[SENTENCE_BYTES] = "";
	int err = errno, cancel;

	if (!atomic_load_explicit(&is_loaded, memory_order_acquire)) {
		cancel = take_lock();
		if (load(sentence, sizeof(sentence)))
			complain(sentence);
		give_lock(cancel);
		errno = err;
	}
	return atomic_load(&is_loaded) ? &conf.rules : NULL;
}

const struct engine_config *init_engine_config(void)
{
	return &conf.engine;
}

static int attach(bool is_early)
{
	char sentence[SENTENCE_BYTES] = "";
	struct engine *e;
	int r = load(sentence, sizeof(sentence));

	if (!r) {
		conf.engine.log = log_sentence;
		conf.engine.ready = ready_on_event;
		conf.engine.is_object_of = shared_is_object_of;
		conf.engine.join = shared_join;
		conf.engine.give = shared_give;
		conf.engine.outside = sock_put_rest;
		conf.engine.is_forked = process_is_forked();
		r = engine_open(&conf.engine, &e, sentence, sizeof(sentence));
	}
	if (r) {
		if (!is_early)
			complain(sentence);
		return r;
	}
	say_attached(e);
	process_attach(e, conf.wants_stats);
	signal_attach();
	/* Last: who sees it goes on at once. */
	atomic_store(&eng_current, e);
	return 0;
}

static int attach_once(bool is_early)
{
	int err = errno, cancel, r = 0;

	if (atomic_load_explicit(&eng_current, memory_order_acquire) && !process_was_cloned())
		return 0;
	if (eng_has_ended())
		return -EIO;
	cancel = take_lock();
	if (!atomic_load(&eng_current))
		r = attach(is_early);
	give_lock(cancel);
	errno = err;
	return r;
}

int init_attach(void)
{
	return attach_once(false);
}

void init_attach_early(void)
{
	attach_once(true);
}
