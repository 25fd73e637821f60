#pragma once

#include "cluster/raft/raft_shim.h"

#include <raft/uv.h>
#include <uv.h>

/* Raft's transport: for each member a pair of sockets inside this process in either direction, of which raft has one end.
 * What raft writes comes out at `hooks->outgoing`; what mesh_pipes_receive() is given, raft reads. Raft's thread only. */
struct mesh_pipe;

struct mesh_pipes {
    struct raft_uv_transport transport;
    uv_loop_t *loop;
    const struct mesh_raft_hooks *hooks;
    size_t queue_bytes;
    raft_uv_accept_cb accept; /* once raft listens */
    raft_uv_transport_close_cb closed;
    int closing;
    struct mesh_pipe *first;
    char chunk[64 * 1024];
};

void mesh_pipes_init(struct mesh_pipes *pipes, uv_loop_t *loop, const struct mesh_raft_hooks *hooks, size_t queue_bytes);
/* `name`: the member's in the configuration. A stream known by another name is begun anew, because raft answers to the
 * name that it was given and would take it for another member's. 0: dropped. */
int mesh_pipes_receive(struct mesh_pipes *pipes, uint64_t from, const char *name, const void *bytes, size_t length);
