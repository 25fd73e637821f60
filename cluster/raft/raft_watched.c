#include "cluster/raft/raft_instance.h"

/* Raft's calls on disk and transport, watched: its errors are terminal, and it tells nobody. After most of them raft frees
 * something twice; those are kept from it, it is closed instead, and what it waits for is cancelled then. */

static struct mesh_raft *of(struct raft_io *io)
{
    return ((struct raft *)io->data)->data;
}

static int watched(struct mesh_raft *m, int status, const char *what)
{
    if (status != 0) {
        mesh_raft_fail(m, MESH_RAFT_IO, what);
    }
    return status;
}

/* Raft has to know these two: it answers nobody after an error. */
static int set_term(struct raft_io *io, raft_term term)
{
    return watched(of(io), of(io)->uv.set_term(io, term), "cannot store the term");
}

static int set_vote(struct raft_io *io, raft_id id)
{
    return watched(of(io), of(io)->uv.set_vote(io, id), "cannot store a vote");
}

static int truncate_log(struct raft_io *io, raft_index index)
{
    of(io)->entry_taken = 1;
    watched(of(io), of(io)->uv.truncate(io, index), "cannot shorten the log");
    return 0;
}

struct watched_append {
    struct raft_io_append own;
    struct raft_io_append *request;
    raft_io_append_cb appended;
    struct mesh_raft *m;
};

static void on_appended(struct raft_io_append *own, int status)
{
    struct watched_append append = *(struct watched_append *)own->data;
    free(own->data);
    if (status != 0 && status != RAFT_CANCELED) {
        mesh_raft_fail(append.m, MESH_RAFT_IO, "cannot write the log");
    }
    append.appended(append.request, status);
}

static int append(struct raft_io *io, struct raft_io_append *request, const struct raft_entry entries[], unsigned n,
                  raft_io_append_cb appended)
{
    struct mesh_raft *m = of(io);
    struct watched_append *watch = m->failure == MESH_RAFT_OK ? malloc(sizeof *watch) : NULL;
    if (watch == NULL) {
        watched(m, RAFT_NOMEM, "no memory");
        return 0;
    }
    *watch = (struct watched_append){{watch, NULL}, request, appended, m};
    if (watched(m, m->uv.append(io, &watch->own, entries, n, on_appended), "cannot write the log") != 0) {
        free(watch);
    }
    return 0;
}

struct watched_put {
    struct raft_io_snapshot_put own;
    struct raft_io_snapshot_put *request;
    raft_io_snapshot_put_cb stored;
    struct mesh_raft *m;
};

/* While it closes raft frees a snapshot only if that was cancelled; one that is stored nevertheless is found at the next start. */
static void on_put(struct raft_io_snapshot_put *own, int status)
{
    struct watched_put put = *(struct watched_put *)own->data;
    free(own->data);
    if (status != 0 && status != RAFT_CANCELED) {
        mesh_raft_fail(put.m, MESH_RAFT_IO, "cannot store a snapshot");
    }
    put.stored(put.request, put.m->closing ? RAFT_CANCELED : status);
}

static int put_snapshot(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                        const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb stored)
{
    struct mesh_raft *m = of(io);
    struct watched_put *watch = m->failure == MESH_RAFT_OK ? malloc(sizeof *watch) : NULL;
    if (watch == NULL) {
        watched(m, RAFT_NOMEM, "no memory");
        return 0;
    }
    *watch = (struct watched_put){{watch, NULL}, request, stored, m};
    if (watched(m, m->uv.snapshot_put(io, trailing, &watch->own, snapshot, on_put), "cannot store a snapshot") != 0) {
        free(watch);
    }
    return 0;
}

struct watched_get {
    struct raft_io_snapshot_get own;
    struct raft_io_snapshot_get *request;
    raft_io_snapshot_get_cb loaded;
    struct mesh_raft *m;
};

/* Told of an error raft would free a configuration and a buffer that it has never set. */
static void on_got(struct raft_io_snapshot_get *own, struct raft_snapshot *snapshot, int status)
{
    struct watched_get get = *(struct watched_get *)own->data;
    free(own->data);
    if (status == 0) {
        get.loaded(get.request, snapshot, status);
    } else {
        mesh_raft_fail(get.m, MESH_RAFT_IO, "cannot read a snapshot");
        raft_free(snapshot);
        raft_free(get.request->data); /* the message that it was for, with the request in it */
    }
}

static int get_snapshot(struct raft_io *io, struct raft_io_snapshot_get *request, raft_io_snapshot_get_cb loaded)
{
    struct mesh_raft *m = of(io);
    struct watched_get *watch = malloc(sizeof *watch);
    int status = RAFT_NOMEM;
    if (watch != NULL) {
        *watch = (struct watched_get){{watch, NULL}, request, loaded, m};
        status = m->uv.snapshot_get(io, &watch->own, on_got);
    }
    if (status != 0) {
        free(watch);
    }
    return status;
}

/* What cannot be sent is lost, as on any way. Raft sends a snapshot that was being read from the disk when it was closed, too:
 * its client would be made after all others were closed, by nobody closed, and keep the loop going for ever. */
static int send_message(struct raft_io *io, struct raft_io_send *request, const struct raft_message *message,
                        raft_io_send_cb sent)
{
    struct mesh_raft *m = of(io);
    const int status = m->closing ? RAFT_CANCELED : m->uv.send(io, request, message, sent);
    if (status != 0) {
        sent(request, status);
    }
    return 0;
}

static void drop(struct raft_message *message)
{
    if (message->type == RAFT_APPEND_ENTRIES && message->append_entries.n_entries > 0) {
        raft_free(message->append_entries.entries[0].batch);
        raft_free(message->append_entries.entries);
    } else if (message->type == RAFT_INSTALL_SNAPSHOT) {
        raft_configuration_close(&message->install_snapshot.conf);
        raft_free(message->install_snapshot.data.base);
    }
}

/* A snapshot that arrives while one is being taken crashes raft (snapshot_pending is cleared before it is read); one that
 * arrives while another is being installed is never freed. The leader sends it again. */
static void on_receive(struct raft_io *io, struct raft_message *message)
{
    struct mesh_raft *m = of(io);
    if (message->type == RAFT_INSTALL_SNAPSHOT && (m->raft.legacy.snapshot_taking || m->raft.snapshot.installing)) {
        ++m->guarded;
        drop(message);
    } else if (m->failure != MESH_RAFT_OK) {
        drop(message);
    } else {
        m->receive(io, message);
    }
}

static void on_tick(struct raft_io *io)
{
    if (of(io)->failure == MESH_RAFT_OK) {
        of(io)->tick(io);
    }
}

static int start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb receive)
{
    struct mesh_raft *m = of(io);
    m->tick = tick;
    m->receive = receive;
    return m->uv.start(io, msecs, on_tick, on_receive);
}

static int begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void mesh_raft_trace(struct raft_tracer *tracer, int type, const void *information)
{
    const struct raft_tracer_info *info = information;
    struct mesh_raft *m = tracer->impl;
    if (type != RAFT_TRACER_DIAGNOSTIC) {
        return;
    }
    if (begins_with(info->diagnostic.message, "retry failed write")) {
        mesh_raft_fail(m, MESH_RAFT_IO, "cannot write the log");
    } else if (begins_with(info->diagnostic.message, "truncate segment")) {
        atomic_store(&m->segment_failed, 1);
        uv_async_send(&m->wake);
    }
}

void mesh_raft_watch(struct mesh_raft *m)
{
    m->uv = m->io;
    m->io.start = start;
    m->io.set_term = set_term;
    m->io.set_vote = set_vote;
    m->io.append = append;
    m->io.truncate = truncate_log;
    m->io.snapshot_put = put_snapshot;
    m->io.snapshot_get = get_snapshot;
    m->io.send = send_message;
}
