#pragma once

#include "cluster/raft/raft_pipes.h"
#include "cluster/raft/raft_shim.h"

#include <raft.h>
#include <raft/uv.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the sources of the shim share. */
struct mesh_raft {
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t turn;
    uv_timer_t ending; /* closes from the loop, never from inside a callback of raft's */
    struct raft raft;
    struct raft_io io;
    struct raft_io uv; /* the functions that `io` had before they were wrapped */
    struct raft_fsm fsm;
    struct raft_tracer tracer;
    struct mesh_pipes pipes;
    struct mesh_raft_hooks hooks;
    unsigned election_ms;
    unsigned close_ms;
    raft_io_recv_cb receive;
    raft_io_tick_cb tick;
    struct raft_transfer farewell; /* the transfer before the end */
    int entry_taken;                    /* raft_apply() has taken the buffer, whatever it returns */
    int failure;                        /* enum mesh_raft_code */
    int closing;
    int leaving;                        /* on its way to closing */
    int abandoned;                      /* closing did not end in time */
    struct mesh_raft *older;            /* of those that were abandoned */
    atomic_int segment_failed; /* set by a worker of libuv's */
    uint64_t guarded;
    char error[MESH_RAFT_ERROR_BYTES];
};

/* Raft closes at once, and the loop ends when that is done. Not from inside a callback of raft's. */
void mesh_raft_close_now(struct mesh_raft *m);

/* The log cannot go on. It is closed before any other timer runs: raft retries a failed write from the wrong timer, and
 * would take the transport for a segment. Until then it hears nothing: what it could not store it must not vouch for. */
void mesh_raft_fail(struct mesh_raft *m, int code, const char *what);
/* Puts a watch on every call of raft's on disk and transport. */
void mesh_raft_watch(struct mesh_raft *m);
/* Two errors that raft tells nobody but its tracer. Called by libuv's workers, too. */
void mesh_raft_trace(struct raft_tracer *tracer, int type, const void *information);

/* Opens directory and transport, and nothing of the log. Not 0: an error of raft's, of which m->error tells; the loop has to
 * run until everything is closed. */
int mesh_raft_begin(struct mesh_raft *m, const struct mesh_raft_settings *settings);
/* For raft_close(). */
void mesh_raft_on_closed(struct raft *raft);
/* What an error of raft's at the start means: an enum mesh_raft_code. */
int mesh_raft_start_code(int status);
