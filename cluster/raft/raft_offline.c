#include "cluster/raft/raft_instance.h"

/* What is done to the directory of a member that does not run. */

/* A log that has lost its first entry is one that begins later than with the snapshot of entry 1, whose term raft takes for
 * that of the entry: it would send nothing to a new member. */
enum { FIRST_INDEX = 2, FIRST_TERM = 1, STORE_PATIENCE_MS = 30 * 1000 };

static struct mesh_raft *open_offline(const char *directory, uint64_t self, const char *name, int *status, char *error)
{
    const struct mesh_raft_settings settings = {.directory = directory, .self = self, .name = name,
                                                .segment_bytes = 512 * 1024, .write_queue_bytes = 0};
    const struct mesh_raft_hooks hooks = {0};
    struct mesh_raft *m = calloc(1, sizeof *m);
    if (m == NULL) {
        snprintf(error, MESH_RAFT_ERROR_BYTES, "no memory");
        return NULL;
    }
    m->hooks = hooks;
    *status = mesh_raft_begin(m, &settings);
    uv_prepare_stop(&m->turn);
    return m;
}

/* `begun`: what open_offline() gave, which has closed by itself otherwise. */
static int close_offline(struct mesh_raft *m, int begun, int status, char *error)
{
    if (begun == 0) {
        if (m->error[0] == '\0') {
            snprintf(m->error, sizeof m->error, "%s", m->io.errmsg);
        }
        m->closing = 1;
        raft_close(&m->raft, mesh_raft_on_closed);
    }
    snprintf(error, MESH_RAFT_ERROR_BYTES, "%s", m->error[0] != '\0' ? m->error : raft_strerror(status));
    while (uv_run(&m->loop, UV_RUN_DEFAULT) != 0) { /* what is cancelled stops it once more */
    }
    mesh_raft_free(m);
    return status == 0 ? MESH_RAFT_OK : mesh_raft_start_code(status);
}

int mesh_raft_recover(const char *directory, uint64_t self, const char *name, char *error)
{
    struct raft_configuration configuration;
    int begun;
    int status;
    struct mesh_raft *m = open_offline(directory, self, name, &begun, error);
    if (m == NULL) {
        return MESH_RAFT_IO;
    }
    status = begun;
    if (begun == 0) {
        raft_configuration_init(&configuration);
        status = raft_configuration_add(&configuration, self, name, RAFT_VOTER);
        if (status == 0) {
            status = raft_recover(&m->raft, &configuration);
        }
        raft_configuration_close(&configuration);
    }
    return close_offline(m, begun, status, error);
}

/* A snapshot on its way to the disk. Raft looks at it until it has stored or cancelled it. */
struct founding {
    struct raft_io_snapshot_put put;
    struct raft_snapshot snapshot;
    struct raft_buffer content;
    struct mesh_raft *m;
    int status;
};

static void on_stored(struct raft_io_snapshot_put *put, int status)
{
    struct founding *founding = put->data;
    founding->status = status;
    uv_stop(&founding->m->loop); /* raft must not be closed from in here */
}

static void on_late(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* As a member that gets a snapshot from the leader before it has any entry: no segments, and the next entry comes after it. */
static int store_first(struct mesh_raft *m, struct founding *founding, uint64_t self, const char *name)
{
    int status = raft_configuration_add(&founding->snapshot.configuration, self, name, RAFT_VOTER);
    if (status == 0) {
        status = m->uv.set_term(&m->io, FIRST_TERM);
    }
    if (status == 0) {
        status = m->uv.snapshot_put(&m->io, 0, &founding->put, &founding->snapshot, on_stored);
    }
    if (status != 0) {
        return status;
    }
    founding->status = RAFT_IOERR;
    uv_timer_start(&m->ending, on_late, STORE_PATIENCE_MS, 0); /* raft tries for ever where the disk is full */
    uv_run(&m->loop, UV_RUN_DEFAULT);
    uv_timer_stop(&m->ending);
    if (founding->status != 0 && m->io.errmsg[0] == '\0') {
        snprintf(m->error, sizeof m->error, "cannot store the state; is there room on the disk?");
    }
    return founding->status;
}

int mesh_raft_found(const char *directory, uint64_t self, const char *name, const void *snapshot, size_t length, char *error)
{
    struct founding founding = {.content = {(void *)snapshot, length}}; /* it is only read */
    int begun;
    int status;
    struct mesh_raft *m = open_offline(directory, self, name, &begun, error);
    if (m == NULL) {
        return MESH_RAFT_IO;
    }
    founding.m = m;
    founding.put.data = &founding;
    founding.snapshot.index = founding.snapshot.configuration_index = FIRST_INDEX;
    founding.snapshot.term = FIRST_TERM;
    founding.snapshot.bufs = &founding.content;
    founding.snapshot.n_bufs = 1;
    raft_configuration_init(&founding.snapshot.configuration);
    status = begun == 0 ? store_first(m, &founding, self, name) : begun;
    status = close_offline(m, begun, status, error);
    raft_configuration_close(&founding.snapshot.configuration);
    return status;
}
