#include "cluster/raft/raft_pipes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mesh_pipe {
    uv_pipe_t handle; /* our end; raft closes and frees its own */
    struct mesh_pipes *pipes;
    struct mesh_pipe *next;
    uint64_t peer;
    int incoming;
    char name[256];
};

struct pending_write {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    struct mesh_pipe *pipe = handle->data;
    struct mesh_pipes *pipes = pipe->pipes;
    struct mesh_pipe **at = &pipes->first;
    while (*at != pipe) {
        at = &(*at)->next;
    }
    *at = pipe->next;
    free(pipe);
    if (pipes->closing && pipes->first == NULL) {
        pipes->closed(&pipes->transport); /* once: none is made any more */
    }
}

static void end_pipe(struct mesh_pipe *pipe)
{
    if (!uv_is_closing((uv_handle_t *)&pipe->handle)) {
        uv_close((uv_handle_t *)&pipe->handle, on_closed);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct mesh_pipe *pipe = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(pipe->pipes->chunk, sizeof pipe->pipes->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct mesh_pipe *pipe = stream->data;
    if (length < 0) {
        end_pipe(pipe);
    } else if (length > 0 && !pipe->incoming) {
        pipe->pipes->hooks->outgoing(pipe->pipes->hooks->context, pipe->peer, buffer->base, (size_t)length);
    }
}

static void on_raft_end_closed(uv_handle_t *handle)
{
    raft_free(handle);
}

/* A pair of sockets: *ours is listed, the other end is raft's. NULL for want of memory or descriptors. */
static struct uv_stream_s *make_pair(struct mesh_pipes *pipes, uint64_t peer, int incoming, const char *name,
                                     struct mesh_pipe **ours)
{
    uv_os_sock_t ends[2];
    struct mesh_pipe *pipe = calloc(1, sizeof *pipe);
    uv_pipe_t *raft_end = raft_malloc(sizeof *raft_end);
    if (pipe == NULL || raft_end == NULL || strlen(name) >= sizeof pipe->name ||
        uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) != 0) {
        free(pipe);
        raft_free(raft_end);
        return NULL;
    }
    pipe->pipes = pipes;
    pipe->peer = peer;
    pipe->incoming = incoming;
    strcpy(pipe->name, name);
    uv_pipe_init(pipes->loop, &pipe->handle, 0);
    uv_pipe_init(pipes->loop, raft_end, 0);
    pipe->handle.data = pipe;
    pipe->next = pipes->first;
    pipes->first = pipe;
    if (uv_pipe_open(&pipe->handle, ends[0]) != 0) {
        close(ends[0]);
        close(ends[1]);
        end_pipe(pipe);
        uv_close((uv_handle_t *)raft_end, on_raft_end_closed);
        return NULL;
    }
    if (uv_pipe_open(raft_end, ends[1]) != 0 ||
        uv_read_start((uv_stream_t *)&pipe->handle, on_room, on_read) != 0) {
        end_pipe(pipe);
        uv_close((uv_handle_t *)raft_end, on_raft_end_closed);
        return NULL;
    }
    *ours = pipe;
    return (struct uv_stream_s *)raft_end;
}

static int transport_init(struct raft_uv_transport *transport, raft_id id, const char *address)
{
    (void)transport;
    (void)id;
    (void)address;
    return 0;
}

static int transport_listen(struct raft_uv_transport *transport, raft_uv_accept_cb accept)
{
    struct mesh_pipes *pipes = transport->impl;
    pipes->accept = accept;
    return 0;
}

static int transport_connect(struct raft_uv_transport *transport, struct raft_uv_connect *request, raft_id id,
                             const char *address, raft_uv_connect_cb connected)
{
    struct mesh_pipes *pipes = transport->impl;
    struct mesh_pipe *pipe;
    struct uv_stream_s *stream;
    struct mesh_pipe *old = pipes->first;
    if (pipes->closing) {
        return RAFT_CANCELED;
    }
    for (; old != NULL; old = old->next) {
        if (old->peer == id && !old->incoming) {
            end_pipe(old); /* raft has closed its end, or is about to */
        }
    }
    stream = make_pair(pipes, id, 0, address, &pipe);
    if (stream == NULL) {
        return RAFT_NOCONNECTION;
    }
    pipes->hooks->outgoing(pipes->hooks->context, id, NULL, 0);
    connected(request, stream, 0);
    return 0;
}

static void transport_close(struct raft_uv_transport *transport, raft_uv_transport_close_cb closed)
{
    struct mesh_pipes *pipes = transport->impl;
    struct mesh_pipe *pipe = pipes->first;
    pipes->closing = 1;
    pipes->accept = NULL;
    pipes->closed = closed;
    if (pipe == NULL) {
        closed(transport);
        return;
    }
    for (; pipe != NULL; pipe = pipe->next) {
        end_pipe(pipe);
    }
}

void mesh_pipes_init(struct mesh_pipes *pipes, uv_loop_t *loop, const struct mesh_raft_hooks *hooks, size_t queue_bytes)
{
    memset(pipes, 0, sizeof *pipes);
    pipes->loop = loop;
    pipes->hooks = hooks;
    pipes->queue_bytes = queue_bytes;
    pipes->transport.version = 1;
    pipes->transport.impl = pipes;
    pipes->transport.init = transport_init;
    pipes->transport.listen = transport_listen;
    pipes->transport.connect = transport_connect;
    pipes->transport.close = transport_close;
}

static void on_written(uv_write_t *request, int status)
{
    struct mesh_pipe *pipe = request->handle->data;
    free(request);
    if (status != 0) {
        end_pipe(pipe);
    }
}

int mesh_pipes_receive(struct mesh_pipes *pipes, uint64_t from, const char *name, const void *bytes, size_t length)
{
    struct mesh_pipe *pipe = pipes->first;
    struct pending_write *writing;
    uv_buf_t buffer;
    if (pipes->accept == NULL) {
        return 0;
    }
    while (pipe != NULL && !(pipe->incoming && pipe->peer == from && !uv_is_closing((uv_handle_t *)&pipe->handle))) {
        pipe = pipe->next;
    }
    if (pipe != NULL && strcmp(pipe->name, name) != 0) {
        end_pipe(pipe);
        pipe = NULL;
    }
    if (pipe == NULL) {
        struct uv_stream_s *stream = make_pair(pipes, from, 1, name, &pipe);
        if (stream == NULL) {
            return 0;
        }
        pipes->accept(&pipes->transport, from, name, stream);
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&pipe->handle) + length > pipes->queue_bytes) {
        return 0;
    }
    writing = malloc(sizeof *writing + length);
    if (writing == NULL) {
        return 0;
    }
    memcpy(writing->bytes, bytes, length);
    buffer = uv_buf_init(writing->bytes, (unsigned)length);
    if (uv_write(&writing->request, (uv_stream_t *)&pipe->handle, &buffer, 1, on_written) != 0) {
        free(writing);
        end_pipe(pipe);
        return 0;
    }
    return 1;
}
