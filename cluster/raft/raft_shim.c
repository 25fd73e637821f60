#include "cluster/raft/raft_instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mesh_raft_start_code(int status)
{
    switch (status) {
        case RAFT_NOSPACE: return MESH_RAFT_NO_SPACE;
        case RAFT_CORRUPT:
        case RAFT_MALFORMED: return MESH_RAFT_CORRUPT;
        case RAFT_IOERR:
        case RAFT_NOMEM:
        case RAFT_TOOMANY: return MESH_RAFT_IO;
        default: return MESH_RAFT_UNUSABLE;
    }
}

/* ---- the end of a run */

static void on_last_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void close_own_handles(struct mesh_raft *m)
{
    uv_close((uv_handle_t *)&m->wake, on_last_closed);
    uv_close((uv_handle_t *)&m->turn, on_last_closed);
    uv_close((uv_handle_t *)&m->ending, on_last_closed);
}

void mesh_raft_on_closed(struct raft *raft)
{
    struct mesh_raft *m = raft->data;
    raft_uv_close(&m->io);
    uv_close((uv_handle_t *)&m->wake, on_last_closed);
    uv_close((uv_handle_t *)&m->turn, on_last_closed);
    uv_unref((uv_handle_t *)&m->ending); /* it goes on until nothing of raft's is left in the loop */
}

/* Raft has ways to wait for ever while it closes (a write that fails then; two segments that wait behind a truncation), and
 * the disk may hang. What is abandoned stays in memory, with all that a worker of libuv's may still use. */
static void on_overdue(uv_timer_t *timer)
{
    struct mesh_raft *m = timer->data;
    if (m->hooks.overdue(m->hooks.context, m->error)) {
        m->abandoned = 1;
        uv_stop(&m->loop);
    }
}

void mesh_raft_close_now(struct mesh_raft *m)
{
    if (!m->closing) {
        m->closing = 1;
        m->hooks.closing(m->hooks.context);
        uv_timer_start(&m->ending, on_overdue, m->close_ms, m->close_ms);
        raft_close(&m->raft, mesh_raft_on_closed);
    }
}

static void on_ending(uv_timer_t *timer)
{
    mesh_raft_close_now(timer->data);
}

void mesh_raft_fail(struct mesh_raft *m, int code, const char *what)
{
    if (m->failure == MESH_RAFT_OK && !m->closing) {
        m->failure = code;
        snprintf(m->error, sizeof m->error, "%s%s%s", what, m->io.errmsg[0] != '\0' ? ": " : "", m->io.errmsg);
        uv_timer_start(&m->ending, on_ending, 0, 0);
    }
}

/* ---- the state machine */

static int apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct mesh_raft *m = fsm->data;
    *result = NULL;
    if (m->failure != MESH_RAFT_OK) {
        return RAFT_CANCELED;
    }
    if (m->hooks.apply(m->hooks.context, m->raft.last_applied + 1, buffer->base, buffer->len) != 0) {
        mesh_raft_fail(m, MESH_RAFT_STOPPED, "an entry cannot be applied");
        return RAFT_MALFORMED;
    }
    return 0;
}

static int take_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct mesh_raft *m = fsm->data;
    struct raft_buffer *buffer = raft_malloc(sizeof *buffer);
    if (buffer == NULL) {
        return RAFT_NOMEM;
    }
    if (m->hooks.snapshot(m->hooks.context, m->raft.last_applied, &buffer->base, &buffer->len) != 0) {
        raft_free(buffer);
        return RAFT_BUSY;
    }
    *buffers = buffer;
    *count = 1;
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct mesh_raft *m = fsm->data;
    if (m->hooks.restore(m->hooks.context, buffer->base, buffer->len) != 0) {
        mesh_raft_fail(m, MESH_RAFT_STOPPED, "a snapshot cannot be restored");
        return RAFT_MALFORMED;
    }
    raft_free(buffer->base);
    return 0;
}

/* ---- opening */

static void on_wake(uv_async_t *async)
{
    struct mesh_raft *m = async->data;
    if (atomic_load(&m->segment_failed)) {
        mesh_raft_fail(m, MESH_RAFT_IO, "cannot finish a segment of the log");
    }
    if (!m->closing) {
        m->hooks.woken(m->hooks.context);
    }
}

static void on_turn(uv_prepare_t *prepare)
{
    struct mesh_raft *m = prepare->data;
    m->hooks.turn(m->hooks.context);
}

static int configure(struct mesh_raft *m, const struct mesh_raft_settings *settings)
{
    struct raft_configuration configuration;
    unsigned i;
    int status = 0;
    raft_set_election_timeout(&m->raft, settings->election_ms);
    raft_set_heartbeat_timeout(&m->raft, settings->heartbeat_ms);
    raft_set_install_snapshot_timeout(&m->raft, 5000);
    raft_set_max_catch_up_round_duration(&m->raft, 5 * settings->election_ms);
    raft_set_pre_vote(&m->raft, true);
    raft_set_snapshot_threshold(&m->raft, settings->snapshot_threshold);
    raft_set_snapshot_trailing(&m->raft, settings->snapshot_trailing);
    raft_set_capacity_threshold(&m->raft, settings->capacity_kib);
    raft_set_max_inflight_entries(&m->raft, settings->max_inflight);
    if (settings->bootstrap_count == 0) {
        return 0;
    }
    raft_configuration_init(&configuration);
    for (i = 0; i < settings->bootstrap_count && status == 0; ++i) {
        const struct mesh_raft_member *member = &settings->bootstrap[i];
        status = raft_configuration_add(&configuration, member->id, member->name, member->voter ? RAFT_VOTER : RAFT_SPARE);
    }
    if (status == 0) {
        status = raft_bootstrap(&m->raft, &configuration);
    }
    raft_configuration_close(&configuration);
    return status == RAFT_CANTBOOTSTRAP ? 0 : status; /* it is not the first time */
}

int mesh_raft_begin(struct mesh_raft *m, const struct mesh_raft_settings *settings)
{
    int status;
    uv_loop_init(&m->loop);
    uv_async_init(&m->loop, &m->wake, on_wake);
    uv_prepare_init(&m->loop, &m->turn);
    uv_timer_init(&m->loop, &m->ending);
    m->wake.data = m->turn.data = m->ending.data = m;
    uv_prepare_start(&m->turn, on_turn); /* the last of raft's turn, because the first that was started */
    mesh_pipes_init(&m->pipes, &m->loop, &m->hooks, settings->write_queue_bytes);
    status = raft_uv_init(&m->io, &m->loop, settings->directory, &m->pipes.transport);
    if (status != 0) {
        snprintf(m->error, sizeof m->error, "%s", m->io.errmsg);
        close_own_handles(m);
        return status;
    }
    m->tracer.version = 2;
    m->tracer.impl = m;
    m->tracer.emit = mesh_raft_trace;
    raft_uv_set_tracer(&m->io, &m->tracer);
    raft_uv_set_segment_size(&m->io, settings->segment_bytes);
    raft_uv_set_disk_retry(&m->io, 1000);
    raft_uv_set_connect_retry_delay(&m->io, 100);
    raft_uv_set_auto_recovery(&m->io, false); /* it sets damaged entries aside, and a voter forgets what it vouched for */
    m->fsm.version = 1;
    m->fsm.data = m;
    m->fsm.apply = apply;
    m->fsm.snapshot = take_snapshot;
    m->fsm.restore = restore;
    status = raft_init(&m->raft, &m->io, &m->fsm, settings->self, settings->name);
    if (status != 0) {
        snprintf(m->error, sizeof m->error, "%s", m->raft.errmsg);
        raft_uv_close(&m->io);
        close_own_handles(m);
        return status;
    }
    m->raft.data = m;
    m->raft.tracer = NULL;
    mesh_raft_watch(m);
    return 0;
}

struct mesh_raft *mesh_raft_open(const struct mesh_raft_settings *settings, const struct mesh_raft_hooks *hooks, int *code,
                                 char *error)
{
    struct mesh_raft *m = calloc(1, sizeof *m);
    int status;
    if (m == NULL) {
        *code = MESH_RAFT_IO;
        snprintf(error, MESH_RAFT_ERROR_BYTES, "no memory");
        return NULL;
    }
    m->hooks = *hooks;
    m->election_ms = settings->election_ms;
    m->close_ms = settings->close_ms;
    status = mesh_raft_begin(m, settings);
    if (status == 0) {
        status = configure(m, settings);
        if (status == 0) {
            status = raft_start(&m->raft);
        }
        if (status == 0) {
            return m;
        }
        if (m->error[0] == '\0') {
            snprintf(m->error, sizeof m->error, "%s", m->raft.errmsg[0] != '\0' ? m->raft.errmsg : m->io.errmsg);
        }
        m->closing = 1;
        raft_close(&m->raft, mesh_raft_on_closed);
    }
    *code = m->failure == MESH_RAFT_STOPPED ? MESH_RAFT_STOPPED : mesh_raft_start_code(status);
    snprintf(error, MESH_RAFT_ERROR_BYTES, "%s", m->error[0] != '\0' ? m->error : raft_strerror(status));
    uv_prepare_stop(&m->turn);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    mesh_raft_free(m);
    return NULL;
}

int mesh_raft_run(struct mesh_raft *m, char *error)
{
    uv_run(&m->loop, UV_RUN_DEFAULT);
    snprintf(error, MESH_RAFT_ERROR_BYTES, "%s", m->error);
    return m->abandoned ? MESH_RAFT_ABANDONED : m->failure;
}

/* Those that did not close. Reachable, so that a checker of leaks tells of others only. */
static _Atomic(struct mesh_raft *) abandoned;

void mesh_raft_free(struct mesh_raft *m)
{
    if (m->abandoned) {
        m->older = atomic_exchange(&abandoned, m);
        return;
    }
    if (!uv_is_closing((uv_handle_t *)&m->ending)) {
        uv_close((uv_handle_t *)&m->ending, on_last_closed);
        uv_run(&m->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&m->loop);
    free(m);
}

void mesh_raft_wake(struct mesh_raft *m)
{
    uv_async_send(&m->wake);
}

void *mesh_raft_allocate(size_t length)
{
    return raft_malloc(length);
}
